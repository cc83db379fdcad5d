use std::path::{Path, PathBuf};

use layer::Tree;
use ttrpc::Status;

use crate::failure;
use crate::proto::{ArchiveRequest, Empty, ExtractRequest};

/// Writes a directory as a tar file.
pub fn archive(request: &ArchiveRequest) -> Result<Empty, Status> {
    let ArchiveRequest { source, target, overlay_upper } = request;
    failure::absolute("source", source)?;
    failure::absolute("target", target)?;
    let tree = if *overlay_upper { Tree::OverlayUpper } else { Tree::Plain };
    let work = format!("archiving {source} as {target}");
    layer::archive(Path::new(source), Path::new(target), tree).map_err(|error| failure::layer(&work, &error))?;
    Ok(Empty {})
}

/// Unpacks a tar file into an empty directory.
pub fn extract(request: &ExtractRequest) -> Result<Empty, Status> {
    let ExtractRequest { archive, dir, parents } = request;
    failure::absolute("archive", archive)?;
    failure::absolute("dir", dir)?;
    for parent in parents {
        failure::absolute("a parent", parent)?;
    }
    let parents: Vec<PathBuf> = parents.iter().map(PathBuf::from).collect();
    let work = format!("unpacking {archive} into {dir}");
    layer::extract(Path::new(archive), Path::new(dir), &parents).map_err(|error| failure::layer(&work, &error))?;
    Ok(Empty {})
}
