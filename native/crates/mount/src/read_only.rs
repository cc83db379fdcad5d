use std::os::fd::OwnedFd;

use rustix::fs::{CWD, Dir, Mode, OFlags};
use rustix::mount::MountFlags;

use crate::error::{MountError, at};
use crate::mount::Mount;
use crate::overlay::Overlay;

/// The root directory of a bind or overlay, without a mount that anybody else could see. What is there while others
/// write to the upper directory is shown as well as the kernel can.
///
/// The mount lives as long as this very descriptor: in what other descriptors still reach after it, the kernel refuses
/// to walk `..` (`EAGAIN`).
///
/// # Errors
/// Those of the kernel, and [`MountError::Unfit`] for other types of mounts.
pub fn open_read_only(mount: &Mount) -> Result<OwnedFd, MountError> {
    if mount.options.bind.is_some() {
        return open(&mount.source);
    }
    if mount.kind != "overlay" {
        return Err(MountError::Unfit(format!("cannot look into a mount of type {}", mount.kind)));
    }
    let overlay = for_reading(Overlay::of(&mount.options))?;
    match overlay.lower.as_slice() {
        // Overlay refuses to show a single layer; there is nothing to merge.
        [only] => open(only),
        _ => overlay.detached(),
    }
}

fn open(dir: &str) -> Result<OwnedFd, MountError> {
    rustix::fs::open(dir, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).map_err(at("open", dir))
}

/// The upper directory becomes the topmost lower one: a container may be writing to it, and one upper directory must
/// not serve two mounts. One that holds nothing is left out: below it there may be as many layers as the kernel takes.
fn for_reading(mut overlay: Overlay) -> Result<Overlay, MountError> {
    if let Some(upper) = overlay.upper.take()
        && (overlay.lower.is_empty() || !is_empty(&upper)?)
    {
        overlay.lower.insert(0, upper);
    }
    overlay.rest.retain(|word| word != "volatile");
    Ok(Overlay { work: None, flags: MountFlags::RDONLY, ..overlay })
}

fn is_empty(dir: &str) -> Result<bool, MountError> {
    let fd = rustix::fs::openat(CWD, dir, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty());
    let entries = fd.and_then(|fd| Dir::read_from(&fd)).map_err(at("open", dir))?;
    for entry in entries {
        let entry = entry.map_err(at("read", dir))?;
        if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use rustix::fs::{ResolveFlags, openat2};

    use super::*;
    use crate::overlay::classic;
    use crate::testing::Scratch;

    fn reads(root: &OwnedFd, path: &str) -> bool {
        openat2(root, path, OFlags::PATH, Mode::empty(), ResolveFlags::IN_ROOT).is_ok()
    }

    #[test]
    fn both_ways_show_the_merged_layers_and_leave_no_mount() {
        let scratch = Scratch::new();
        let dir = |name: &str| scratch.dir(name).display().to_string();
        for name in ["top", "bottom"] {
            fs::create_dir_all(scratch.path(name).join("sub")).unwrap();
            fs::write(scratch.path(name).join(name), "").unwrap();
        }
        let words = [format!("lowerdir={}:{}", dir("top"), dir("bottom")), "index=off".into()];
        let mount = Mount::new("overlay", "overlay", &words);
        let overlay = || for_reading(Overlay::of(&mount.options)).unwrap();
        for root in [open_read_only(&mount), overlay().detached(), classic::detached(&overlay())] {
            let root = root.unwrap();
            assert!(reads(&root, "top") && reads(&root, "/sub/../bottom"));
        }
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        assert!(!mounts.contains(&scratch.path("").display().to_string()));
    }

    #[test]
    fn below_an_upper_directory_that_holds_nothing_there_may_be_as_many_layers_as_the_kernel_takes() {
        let scratch = Scratch::new();
        let lower: Vec<String> = (0..500).map(|layer| scratch.dir(&layer.to_string()).display().to_string()).collect();
        let upper = scratch.dir("upper");
        fs::write(scratch.path("499/bottom"), "").unwrap();
        let words = [
            format!("upperdir={}", upper.display()),
            format!("workdir={}", scratch.dir("work").display()),
            "volatile".to_owned(),
            format!("lowerdir={}", lower.join(":")),
        ];
        let mount = Mount::new("overlay", "overlay", &words);
        assert!(reads(&open_read_only(&mount).unwrap(), "bottom"));
        fs::write(upper.join("written"), "").unwrap();
        assert_eq!(
            open_read_only(&mount).unwrap_err().to_string(),
            "overlayfs stacks at most 500 layers, and these are 501"
        );
    }

    #[test]
    fn an_upper_directory_is_read_while_nothing_or_one_layer_is_below() {
        let scratch = Scratch::new();
        let (upper, lower) = (scratch.dir("upper"), scratch.dir("lower"));
        fs::write(upper.join("written"), "").unwrap();
        for lower in ["", &lower.display().to_string()] {
            let words = [format!("upperdir={}", upper.display()), format!("lowerdir={lower}")];
            assert!(reads(&open_read_only(&Mount::new("overlay", "overlay", &words)).unwrap(), "written"));
        }
        assert!(open_read_only(&Mount::new("tmpfs", "tmpfs", &[])).is_err());
    }
}
