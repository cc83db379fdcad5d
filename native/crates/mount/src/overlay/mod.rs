//! Overlay mounts: layer by layer where the kernel takes them so (Linux 6.8), by mount(2) elsewhere.

mod by_layer;
pub(crate) mod classic;
mod stack;
mod words;

use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::OnceLock;

use rustix::fs::CWD;
use rustix::mount::{MoveMountFlags, move_mount};

use crate::error::{MountError, at};
use crate::limits::MAX_LAYERS;
pub(crate) use stack::Overlay;

impl Overlay {
    pub fn attach(&self, target: &Path) -> Result<(), MountError> {
        self.check()?;
        if !takes_single_layers() {
            return classic::attach(self, target);
        }
        let mounted = by_layer::build(self)?;
        move_mount(&mounted, "", CWD, target, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
            .map_err(at("mount on", target.display()))
    }

    /// The root of a mount that nobody else can see.
    pub fn detached(&self) -> Result<OwnedFd, MountError> {
        self.check()?;
        if takes_single_layers() { by_layer::build(self) } else { classic::detached(self) }
    }

    /// What the kernel would call an invalid argument without a word on which.
    fn check(&self) -> Result<(), MountError> {
        if self.lower.len() > MAX_LAYERS {
            return Err(MountError::TooManyLayers { count: self.lower.len() });
        }
        if self.user_map.is_some() && !takes_single_layers() {
            return Err(MountError::NoMappedLayers);
        }
        Ok(())
    }
}

/// Whether this kernel takes layers one by one; asked once in a process.
fn takes_single_layers() -> bool {
    static ANSWER: OnceLock<bool> = OnceLock::new();
    *ANSWER.get_or_init(by_layer::is_known)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use rustix::mount::MountFlags;

    use super::*;
    use crate::testing::{Scratch, mount_options, mount_source};
    use crate::{Mount, Options, attach, detach};

    /// An overlay of `count` layers, each with a file of its own, and one that the topmost has from all.
    fn layers(scratch: &Scratch, count: usize) -> Overlay {
        let lower: Vec<PathBuf> = (0..count).map(|layer| scratch.dir(&format!("layers/{layer}/fs"))).collect();
        for (layer, dir) in lower.iter().enumerate() {
            fs::write(dir.join(layer.to_string()), "").unwrap();
            fs::write(dir.join("top"), layer.to_string()).unwrap();
        }
        let text = |path: PathBuf| path.display().to_string();
        Overlay {
            lower: lower.into_iter().map(text).collect(),
            upper: Some(text(scratch.dir("own/fs"))),
            work: Some(text(scratch.dir("own/work"))),
            user_map: None,
            flags: MountFlags::empty(),
            rest: vec!["index=off".into(), "volatile".into()],
        }
    }

    type Way = fn(&Overlay, &Path) -> Result<(), MountError>;
    const BY_LAYER: Way = |overlay, target| overlay.attach(target);
    const BOTH_WAYS: [Way; 2] = [BY_LAYER, classic::attach];

    fn shows_all(target: &Path, count: usize) {
        assert_eq!(fs::read_to_string(target.join("top")).unwrap(), "0");
        for layer in 0..count {
            assert!(target.join(layer.to_string()).exists(), "layer {layer} of {count}");
        }
    }

    #[test]
    fn this_kernel_takes_single_layers() {
        assert!(takes_single_layers(), "the tests of both ways need Linux 6.8");
    }

    #[test]
    fn layers_are_merged_and_written_to_either_way() {
        let scratch = Scratch::new();
        let target = scratch.dir("target");
        for way in BOTH_WAYS {
            let overlay = layers(&scratch, 3);
            way(&overlay, &target).unwrap();
            shows_all(&target, 3);
            assert!(mount_options(&target).contains("volatile"));
            fs::write(target.join("written"), "").unwrap();
            detach(&target).unwrap();
            assert!(scratch.path("own/fs/written").exists());
            fs::remove_dir_all(scratch.path("own")).unwrap();
        }
    }

    #[test]
    fn as_many_layers_as_the_kernel_stacks_are_mounted_either_way_and_one_more_is_refused_by_its_number() {
        let scratch = Scratch::new();
        let target = scratch.dir("target");
        for way in BOTH_WAYS {
            let overlay = layers(&scratch, MAX_LAYERS);
            way(&overlay, &target).unwrap();
            shows_all(&target, MAX_LAYERS);
            assert!(["overlay", &overlay.lower[0]].contains(&mount_source(&target).as_str()));
            detach(&target).unwrap();
            fs::remove_dir_all(scratch.path("own")).unwrap();
        }
        let error = layers(&scratch, MAX_LAYERS + 1).attach(&target).unwrap_err();
        assert_eq!(error.to_string(), "overlayfs stacks at most 500 layers, and these are 501");
    }

    /// A directory below paths of every length up to the longest, with all the characters that mean something somewhere.
    #[test]
    fn any_name_is_a_layers_either_way() {
        let scratch = Scratch::new();
        let target = scratch.dir("target");
        let long = |name: &str, bytes: usize| format!("{}{name}", format!("{}/", "d".repeat(99)).repeat(bytes / 100));
        for name in [
            "plain",
            "a:b",
            "a\\:b",
            "a,b",
            "a\\",
            "a b\n\t",
            "é\\\\x",
            ":,\\",
            &long("deep", 300),
            &long("a:b,c\\", 2000),
        ] {
            for way in BOTH_WAYS {
                let dir = |part: &str| scratch.dir(&format!("{name}/{part}")).display().to_string();
                fs::create_dir_all(dir("upper")).unwrap();
                let overlay = Overlay {
                    lower: vec![dir("one"), dir("two")],
                    upper: Some(dir("upper")),
                    work: Some(dir("work")),
                    ..layers(&scratch, 0)
                };
                fs::write(scratch.path(&format!("{name}/two/file")), "").unwrap();
                way(&overlay, &target).unwrap_or_else(|error| panic!("{name:?}: {error}"));
                fs::write(target.join("written"), "").unwrap();
                assert!(target.join("file").exists(), "{name:?}");
                detach(&target).unwrap();
                assert!(scratch.path(&format!("{name}/upper/written")).exists(), "{name:?}");
                fs::remove_dir_all(scratch.path(&format!("{name}/upper"))).unwrap();
                fs::remove_dir_all(scratch.path(&format!("{name}/work"))).unwrap();
            }
        }
    }

    #[test]
    fn words_are_read_as_the_kernel_reads_them() {
        let words = ["lowerdir=/a:/b\\:c:/d\\\\", "upperdir=/u\\,p", "workdir=/w", "volatile", "usermap=/ns", "ro"];
        let overlay = Overlay::of(&Options::parse(&words.map(str::to_owned)));
        assert_eq!(overlay.lower, ["/a", "/b:c", "/d\\"]);
        assert_eq!((overlay.upper.as_deref(), overlay.work.as_deref()), (Some("/u,p"), Some("/w")));
        assert_eq!((overlay.user_map.as_deref(), overlay.flags), (Some("/ns"), MountFlags::RDONLY));
        assert_eq!(overlay.rest, ["volatile"]);
        assert!(Overlay::of(&Options::default()).lower.is_empty());
    }

    #[test]
    fn flags_are_in_force_either_way() {
        let scratch = Scratch::new();
        let target = scratch.dir("target");
        for way in BOTH_WAYS {
            let flags = MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
            let overlay = Overlay { flags, upper: None, work: None, rest: vec![], ..layers(&scratch, 2) };
            way(&overlay, &target).unwrap();
            assert_eq!(
                crate::testing::mount_flags(&target),
                ["ro", "nosuid", "nodev", "noexec"].map(str::to_owned).into()
            );
            detach(&target).unwrap();
        }
    }

    #[test]
    fn what_the_kernel_refuses_leaves_no_mount() {
        let scratch = Scratch::new();
        let target = scratch.dir("target");
        for way in BOTH_WAYS {
            let overlay = Overlay { lower: vec!["/absent/layer".into()], ..layers(&scratch, 0) };
            assert!(way(&overlay, &target).unwrap_err().errno().is_some());
            assert_eq!(crate::detach::once(&target), Err(rustix::io::Errno::INVAL));
        }
        let mount = Mount::new("overlay", "overlay", &["lowerdir=/absent".into(), "rshared".into()]);
        assert!(attach(&mount, &target).is_err());
        assert!(attach(&mount, Path::new("relative")).unwrap_err().to_string().contains("not absolute"));
    }
}
