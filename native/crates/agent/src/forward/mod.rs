//! Connections into a pod's network namespace.

mod half;
mod relay;

use std::io::ErrorKind;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use rustix::fs::{Mode, OFlags};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use ttrpc::{Code, Status};

use crate::failure;
use crate::proto::{Empty, ForwardPortRequest};
use crate::thread::apart;

const DIAL: Duration = Duration::from_secs(5);
/// The relay's buffers are on the heap.
const STACK: usize = 128 << 10;

/// Connects a port of a network namespace with the caller's socket, and leaves a thread to carry what they say.
pub fn port(request: &ForwardPortRequest) -> Result<Empty, Status> {
    failure::absolute("socket", &request.socket)?;
    let port = u16::try_from(request.port).ok().filter(|port| *port != 0);
    let port = port.ok_or_else(|| failure::invalid(format!("{} is not a port", request.port)))?;
    let target = if request.netns_path.is_empty() { dial(port) } else { dial_within(&request.netns_path, port) }?;
    let client = UnixStream::connect(&request.socket).map_err(failure::io("connect to", &request.socket))?;
    let start = || -> std::io::Result<()> {
        let relay = relay::Relay::new(client, target)?;
        std::thread::Builder::new().name("forward".into()).stack_size(STACK).spawn(move || relay.run())?;
        Ok(())
    };
    start().map_err(failure::io("forward port", port.to_string()))?;
    Ok(Empty {})
}

fn dial_within(path: &str, port: u16) -> Result<TcpStream, Status> {
    failure::absolute("netns_path", path)?;
    let namespace =
        rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).map_err(failure::on("open", path))?;
    apart(|| {
        move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))
            .map_err(failure::on("enter the network namespace", path))?;
        dial(port)
    })
}

fn dial(port: u16) -> Result<TcpStream, Status> {
    let loopbacks = [SocketAddr::from((Ipv4Addr::LOCALHOST, port)), SocketAddr::from((Ipv6Addr::LOCALHOST, port))];
    let mut first = None;
    for address in loopbacks {
        match TcpStream::connect_timeout(&address, DIAL) {
            Ok(stream) => return Ok(stream),
            Err(error) => first = first.or(Some(error)),
        }
    }
    // Whether IPv6 is there at all is not what the caller wants to know.
    match first {
        Some(error) if error.kind() != ErrorKind::ConnectionRefused => {
            Err(failure::io("connect to port", port.to_string())(error))
        }
        _ => Err(Status::new(Code::FailedPrecondition, format!("nothing listens on port {port}"))),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{Shutdown, TcpListener};
    use std::os::unix::net::UnixListener;

    use super::*;

    /// A client that is connected with what listens on `listener`.
    fn forwarded(name: &str, listener: &TcpListener) -> (UnixStream, TcpStream) {
        let path = std::env::temp_dir().join(format!("berth-forward-{name}-{}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        let meeting = UnixListener::bind(&path).unwrap();
        let request = ForwardPortRequest {
            netns_path: String::new(),
            port: u32::from(listener.local_addr().unwrap().port()),
            socket: path.display().to_string(),
        };
        port(&request).unwrap();
        std::fs::remove_file(&path).unwrap();
        (meeting.accept().unwrap().0, listener.accept().unwrap().0)
    }

    fn listener() -> TcpListener {
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap()
    }

    #[test]
    fn each_side_ends_on_its_own() {
        let (mut client, mut target) = forwarded("ends", &listener());
        client.write_all(b"question").unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        let mut heard = String::new();
        target.read_to_string(&mut heard).unwrap();
        assert_eq!(heard, "question");
        target.write_all(b"answer").unwrap();
        drop(target);
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "answer");
    }

    #[test]
    fn much_arrives_whole_at_a_slow_reader() {
        let (mut client, mut target) = forwarded("much", &listener());
        let sent: Vec<u8> = (0..4_000_000_u32).map(|number| number.to_le_bytes()[1]).collect();
        let copy = sent.clone();
        let writer = std::thread::spawn(move || target.write_all(&copy).unwrap());
        std::thread::sleep(Duration::from_millis(100));
        let mut received = Vec::new();
        client.read_to_end(&mut received).unwrap();
        writer.join().unwrap();
        assert!(received == sent);
    }

    #[test]
    fn a_client_that_leaves_ends_an_idle_connection() {
        let (client, mut target) = forwarded("leaves", &listener());
        target.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        drop(client);
        assert_eq!(target.read(&mut [0; 1]).unwrap(), 0);
        // The relay is gone, so nobody is left to take anything.
        let refused = (0..100).any(|_| {
            std::thread::sleep(Duration::from_millis(10));
            target.write_all(b"anyone?").is_err()
        });
        assert!(refused);
    }

    #[test]
    fn a_port_that_nobody_listens_on_is_said_to_be_so() {
        let closed = u32::from(listener().local_addr().unwrap().port());
        let request = |port| ForwardPortRequest { netns_path: String::new(), port, socket: "/nowhere".into() };
        let error = port(&request(closed)).unwrap_err();
        assert_eq!(
            (error.code, error.message),
            (Code::FailedPrecondition, format!("nothing listens on port {closed}"))
        );
        assert_eq!(port(&request(0)).unwrap_err().code, Code::InvalidArgument);
        assert_eq!(port(&request(70_000)).unwrap_err().code, Code::InvalidArgument);
    }
}
