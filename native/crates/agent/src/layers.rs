use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use layer::{Limits, Unpack};
use serde_json::json;
use ttrpc::Status;

use crate::proto::{
    DiskUsageRequest, DiskUsageResponse, Empty, MergeLayerRequest, RemoveTreeRequest, UnpackRequest, UnpackResponse,
    Usage,
};
use crate::{failure, log};

/// Unpacks a layer's blob into its directory.
pub fn unpack(request: &UnpackRequest) -> Result<UnpackResponse, Status> {
    for (what, path) in [("blob", &request.blob), ("dir", &request.dir)] {
        failure::absolute(what, path)?;
    }
    for parent in &request.parents {
        failure::absolute("a parent", parent)?;
    }
    let parents: Vec<PathBuf> = request.parents.iter().map(PathBuf::from).collect();
    let unpacked = layer::unpack(&Unpack {
        blob: Path::new(&request.blob),
        media_type: &request.media_type,
        diff_id: &request.diff_id,
        dir: Path::new(&request.dir),
        parents: &parents,
        limits: Limits::default(),
    });
    let work = format!("unpacking layer {} ({})", request.id, request.blob);
    let unpacked = unpacked.map_err(|error| failure::layer(&work, &error))?;
    let micros = BTreeMap::from(
        [
            ("decompress", unpacked.micros.decompress),
            ("hash", unpacked.micros.hash),
            ("write", unpacked.micros.write),
            ("sync", unpacked.micros.sync),
        ]
        .map(|(stage, micros)| (stage.to_owned(), micros)),
    );
    log::info("unpacked a layer", &json!({ "id": request.id, "bytes": unpacked.bytes, "micros": micros }));
    Ok(UnpackResponse {
        bytes: unpacked.bytes,
        inodes: unpacked.usage.inodes,
        disk_bytes: unpacked.usage.bytes,
        micros,
    })
}

pub fn remove_tree(request: &RemoveTreeRequest) -> Result<Empty, Status> {
    let path = &request.path;
    failure::absolute("path", path)?;
    if path.trim_matches('/').is_empty() {
        return Err(failure::invalid("the root is not removed"));
    }
    layer::remove_tree(Path::new(path)).map_err(|error| failure::layer(&format!("removing {path}"), &error))?;
    Ok(Empty {})
}

/// Carries a layer out on a copy of what is below it.
pub fn merge_layer(request: &MergeLayerRequest) -> Result<Empty, Status> {
    let MergeLayerRequest { layer, target } = request;
    failure::absolute("layer", layer)?;
    failure::absolute("target", target)?;
    let merged = layer::merge_layer(Path::new(layer), Path::new(target));
    merged.map_err(|error| failure::layer(&format!("merging {layer} into {target}"), &error))?;
    Ok(Empty {})
}

pub fn disk_usage(request: &DiskUsageRequest) -> Result<DiskUsageResponse, Status> {
    let usage = request.paths.iter().map(|path| usage_of(path)).collect::<Result<_, _>>()?;
    Ok(DiskUsageResponse { usage })
}

fn usage_of(path: &str) -> Result<Usage, Status> {
    failure::absolute("a path", path)?;
    let usage = layer::disk_usage(Path::new(path));
    let usage = usage.map_err(|error| failure::layer(&format!("measuring {path}"), &error))?;
    Ok(Usage { bytes: usage.bytes, inodes: usage.inodes })
}
