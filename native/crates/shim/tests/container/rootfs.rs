//! The root file system of a container in a user namespace.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::process::{Child, Command};

use ttrpc::Status;

use crate::bundle::Wish;
use crate::fixture::Shim;
use crate::observed::eventually;
use crate::proto::berth::shim::v1 as berth;
use crate::proto::containerd::task::v3 as task;

const FIRST_ID: u32 = 100_000;

/// A user namespace, for as long as its process lives.
struct Users(Child);

impl Users {
    fn start() -> Self {
        let users = Self(Command::new("unshare").args(["--user", "sleep", "1000"]).spawn().expect("unshare"));
        let own = fs::read_link("/proc/self/ns/user").expect("namespace");
        eventually("it has a namespace", || fs::read_link(users.path()).is_ok_and(|namespace| namespace != own));
        for map in ["uid_map", "gid_map"] {
            fs::write(format!("/proc/{}/{map}", users.0.id()), format!("0 {FIRST_ID} 65536")).expect("mapped");
        }
        users
    }

    fn path(&self) -> String {
        format!("/proc/{}/ns/user", self.0.id())
    }
}

impl Drop for Users {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Create of a container that asks for mapped layers. Its runtime runs only on Start, so that only mounts are made.
fn create(shim: &mut Shim) -> Result<task::CreateTaskResponse, Status> {
    let options = berth::Options { run_on_start: true, ..shim.options() };
    let mut request = shim.create_request(&options, false);
    request.rootfs[0].options.extend(["uidmap", "gidmap"].map(|key| format!("{key}=0:{FIRST_ID}:65536")));
    shim.try_call("Create", &request)
}

#[test]
fn layers_show_their_owners_as_the_containers_users() {
    let Some(mut shim) = Shim::start(&Wish::default()) else { return };
    let users = Users::start();
    let config = shim.bundle.join("config.json");
    let mut spec: serde_json::Value = serde_json::from_slice(&fs::read(&config).expect("spec")).expect("JSON");
    let namespaces = spec["linux"]["namespaces"].as_array_mut().expect("namespaces");
    namespaces.push(serde_json::json!({ "type": "user", "path": users.path() }));
    fs::write(&config, spec.to_string()).expect("spec");
    create(&mut shim).expect("created");
    let rootfs = format!("/proc/{}/root{}/rootfs", shim.pid, shim.bundle.display());
    for (path, layer) in [("bin/busybox", "top"), ("tmp", "bottom")] {
        let (shown, stored) = (format!("{rootfs}/{path}"), shim.dir.join(layer).join(path));
        let owner = |path: &std::path::Path| fs::metadata(path).map(|file| (file.uid(), file.gid())).expect("there");
        assert_eq!((owner(shown.as_ref()), owner(&stored)), ((FIRST_ID, FIRST_ID), (0, 0)), "{path}");
    }
}

#[test]
fn mapped_layers_need_a_user_namespace_in_the_spec() {
    let Some(mut shim) = Shim::start(&Wish::default()) else { return };
    let refused = create(&mut shim).expect_err("refused");
    assert!(refused.message.contains("joins no user namespace"), "{}", refused.message);
    assert!(!shim.has_mounts());
}
