use ttrpc::{Code, Status};

use super::inside::in_network;
use crate::failure;
use crate::proto::{InterfaceStats, NetworkStatsRequest, NetworkStatsResponse};

/// Reads the counters of every interface of a pinned network namespace.
pub fn network_stats(request: &NetworkStatsRequest) -> Result<NetworkStatsResponse, Status> {
    let table = in_network(&request.netns_path, || {
        std::fs::read_to_string("/proc/thread-self/net/dev").map_err(failure::io("read", "/proc/thread-self/net/dev"))
    })?;
    parse(&table).ok_or_else(|| Status::new(Code::Internal, "/proc/thread-self/net/dev has an unknown format"))
}

/// Two lines of headings, then `name: 8 receive columns, 8 transmit columns`.
fn parse(table: &str) -> Option<NetworkStatsResponse> {
    let interfaces = table.lines().skip(2).map(parse_line).collect::<Option<_>>()?;
    Some(NetworkStatsResponse { interfaces })
}

fn parse_line(line: &str) -> Option<InterfaceStats> {
    let (name, columns) = line.rsplit_once(':')?;
    let columns = columns.split_whitespace().map(|column| column.parse().ok()).collect::<Option<Vec<u64>>>()?;
    let &[rx_bytes, rx_packets, rx_errors, rx_dropped, _, _, _, _, tx_bytes, tx_packets, tx_errors, tx_dropped, ..] =
        columns.as_slice()
    else {
        return None;
    };
    let name = name.trim().to_owned();
    Some(InterfaceStats {
        name,
        rx_bytes,
        rx_packets,
        rx_errors,
        rx_dropped,
        tx_bytes,
        tx_packets,
        tx_errors,
        tx_dropped,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_told_apart() {
        let table = "Inter-|   Receive\n face |bytes\n  eth0: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n";
        let stats = parse(table).unwrap();
        let eth0 = &stats.interfaces[0];
        assert_eq!((eth0.name.as_str(), eth0.rx_bytes, eth0.rx_dropped), ("eth0", 1, 4));
        assert_eq!((eth0.tx_bytes, eth0.tx_packets, eth0.tx_errors, eth0.tx_dropped), (9, 10, 11, 12));
        assert_eq!(parse("a\nb\nshort: 1 2\n"), None);
    }
}
