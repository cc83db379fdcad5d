//! The messages of `proto/berth/agent.proto`.

include!(concat!(env!("OUT_DIR"), "/berth.agent.v1.rs"));
