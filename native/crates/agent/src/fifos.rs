//! FIFOs, which Node cannot make.

use rustix::fs::{CWD, FileType, Mode, mkdir, mknodat};
use ttrpc::Status;

use crate::failure;
use crate::proto::{Empty, MakeFifosRequest};

/// Makes a directory and FIFOs in it, or nothing.
pub fn make(request: &MakeFifosRequest) -> Result<Empty, Status> {
    failure::absolute("dir", &request.dir)?;
    if let Some(name) =
        request.names.iter().find(|name| name.is_empty() || name.contains(['/', '\0']) || name.starts_with('.'))
    {
        return Err(failure::invalid(format!("{name:?} is not a name for a FIFO")));
    }
    mkdir(request.dir.as_str(), Mode::RWXU).map_err(failure::on("make", &request.dir))?;
    for name in &request.names {
        let path = format!("{}/{name}", request.dir);
        if let Err(errno) = mknodat(CWD, path.as_str(), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0) {
            let _ = std::fs::remove_dir_all(&request.dir);
            return Err(failure::errno("make the FIFO", &path, errno));
        }
    }
    Ok(Empty {})
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{FileTypeExt, PermissionsExt};

    use super::*;

    fn request(dir: &str, names: &[&str]) -> MakeFifosRequest {
        MakeFifosRequest { dir: dir.to_owned(), names: names.iter().map(|name| (*name).to_owned()).collect() }
    }

    #[test]
    fn a_directory_of_fifos_for_one_user() {
        let dir = format!("{}/berth-fifos-{}", std::env::temp_dir().display(), std::process::id());
        make(&request(&dir, &["stdin", "stdout"])).unwrap();
        let metadata = std::fs::metadata(format!("{dir}/stdin")).unwrap();
        assert!(metadata.file_type().is_fifo());
        assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::metadata(&dir).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(make(&request(&dir, &[])).unwrap_err().code, ttrpc::Code::AlreadyExists);
        std::fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn names_stay_in_the_directory_and_nothing_is_left_of_a_failure() {
        let dir = format!("{}/berth-fifos-bad-{}", std::env::temp_dir().display(), std::process::id());
        for name in ["", "../up", "..", "a/b"] {
            assert_eq!(make(&request(&dir, &[name])).unwrap_err().code, ttrpc::Code::InvalidArgument);
        }
        make(&request(&dir, &["twice", "twice"])).unwrap_err();
        assert!(!std::path::Path::new(&dir).exists());
    }
}
