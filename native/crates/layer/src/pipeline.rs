//! Decompression, hashing and unpacking side by side, joined by short queues of chunks.

use std::fs::File;
use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use crate::decompress;
use crate::error::{LayerError, Result, invalid};
use crate::limits::Limits;

const CHUNK: usize = 256 << 10;
/// Chunks in flight to each consumer: enough to ride over a slow file creation, little enough to bound memory.
const QUEUE: usize = 8;

type Chunk = Arc<Vec<u8>>;

/// A blob and how to read it.
pub(crate) struct Source<'a> {
    pub blob: File,
    pub media_type: &'a str,
    pub limits: Limits,
}

/// What the whole stream turned out to be, and the time spent in each stage.
pub(crate) struct Streamed {
    pub bytes: u64,
    /// Lower-case hex of the SHA-256 over every byte of the stream, also those after the archive's end.
    pub sha256: String,
    pub decompress: Duration,
    pub hash: Duration,
    /// Time the consumer spent waiting for chunks.
    pub waited: Duration,
}

/// Runs `consume` over the uncompressed stream. An error of any stage ends them all.
pub(crate) fn stream(source: Source<'_>, consume: impl FnOnce(&mut Stream) -> Result<()>) -> Result<Streamed> {
    let (to_consumer, chunks) = sync_channel(QUEUE);
    let (to_hasher, hashed) = sync_channel(QUEUE);
    thread::scope(|scope| {
        let hasher = scope.spawn(move || hash(&hashed));
        let producer = scope.spawn(move || produce(source, &to_consumer, &to_hasher));
        let mut stream = Stream::new(chunks);
        let consumed = consume(&mut stream).and_then(|()| stream.drain());
        let waited = stream.waited;
        drop(stream);
        let (bytes, decompress) = producer.join().map_err(|_| panicked())?;
        let (sha256, hash) = hasher.join().map_err(|_| panicked())?;
        consumed?;
        Ok(Streamed { bytes, sha256, decompress, hash, waited })
    })
}

fn panicked() -> LayerError {
    LayerError::Invalid("the layer made the decompressor fail".into())
}

/// Feeds both consumers; returns the uncompressed size and the time not spent in their queues.
fn produce(
    source: Source<'_>,
    to_consumer: &SyncSender<Result<Chunk>>,
    to_hasher: &SyncSender<Chunk>,
) -> (u64, Duration) {
    let mut progress = (0, Duration::ZERO);
    let outcome = produce_chunks(source, &mut progress, |chunk| {
        to_hasher.send(chunk.clone()).is_ok() && to_consumer.send(Ok(chunk)).is_ok()
    });
    if let Err(error) = outcome {
        // The consumer may be gone already; then it has an error of its own to report.
        let _ = to_consumer.send(Err(error));
    }
    progress
}

fn produce_chunks(
    source: Source<'_>,
    (bytes, busy): &mut (u64, Duration),
    mut send: impl FnMut(Chunk) -> bool,
) -> Result<()> {
    let consumed = Arc::new(AtomicU64::new(0));
    let mut input = decompress::open(source.blob, source.media_type, consumed.clone())?;
    loop {
        let started = Instant::now();
        let chunk = read_chunk(&mut *input)?;
        *busy += started.elapsed();
        if chunk.is_empty() {
            return Ok(());
        }
        *bytes += chunk.len() as u64;
        source.limits.check_bytes(*bytes, consumed.load(Ordering::Relaxed))?;
        if !send(Arc::new(chunk)) {
            return Ok(());
        }
    }
}

/// Fills one chunk; a short one is the last, an empty one the end.
fn read_chunk(input: &mut dyn Read) -> Result<Vec<u8>> {
    let mut chunk = Vec::with_capacity(CHUNK);
    input.take(CHUNK as u64).read_to_end(&mut chunk).map_err(decompress::read_failed)?;
    Ok(chunk)
}

fn hash(chunks: &Receiver<Chunk>) -> (String, Duration) {
    let mut hasher = Sha256::new();
    let mut busy = Duration::ZERO;
    for chunk in chunks {
        let started = Instant::now();
        hasher.update(&*chunk);
        busy += started.elapsed();
    }
    let hex = hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    (hex, busy)
}

/// The uncompressed bytes, as a consumer sees them.
pub(crate) struct Stream {
    chunks: Receiver<Result<Chunk>>,
    current: Chunk,
    position: usize,
    waited: Duration,
}

impl Stream {
    fn new(chunks: Receiver<Result<Chunk>>) -> Self {
        Self { chunks, current: Arc::default(), position: 0, waited: Duration::ZERO }
    }

    /// The bytes at hand, waiting for some; empty at the end of the stream.
    pub fn fill(&mut self) -> Result<&[u8]> {
        if self.position == self.current.len() {
            let started = Instant::now();
            let next = self.chunks.recv();
            self.waited += started.elapsed();
            self.current = next.unwrap_or_else(|_| Ok(Arc::default()))?;
            self.position = 0;
        }
        Ok(&self.current[self.position..])
    }

    /// Drops `count` of the bytes that [`Self::fill`] returned.
    pub fn consume(&mut self, count: usize) {
        self.position += count;
    }

    /// Fills `buffer`; false when the stream ended before its first byte.
    pub fn read_exact(&mut self, buffer: &mut [u8]) -> Result<bool> {
        let mut done = 0;
        while done < buffer.len() {
            let bytes = self.fill()?;
            if bytes.is_empty() {
                return if done == 0 { Ok(false) } else { truncated() };
            }
            let count = bytes.len().min(buffer.len() - done);
            buffer[done..done + count].copy_from_slice(&bytes[..count]);
            self.consume(count);
            done += count;
        }
        Ok(true)
    }

    pub fn skip(&mut self, count: u64) -> Result<()> {
        if self.skip_some(count)? { Ok(()) } else { truncated() }
    }

    /// False when the stream ends before `count` bytes have passed.
    pub fn skip_some(&mut self, mut count: u64) -> Result<bool> {
        while count > 0 {
            let at_hand = self.fill()?.len();
            if at_hand == 0 {
                return Ok(false);
            }
            let step = count.min(at_hand as u64);
            self.consume(step as usize);
            count -= step;
        }
        Ok(true)
    }

    /// Lets the rest pass, so that it is counted and hashed.
    fn drain(&mut self) -> Result<()> {
        loop {
            let at_hand = self.fill()?.len();
            if at_hand == 0 {
                return Ok(());
            }
            self.consume(at_hand);
        }
    }
}

pub(crate) fn truncated<T>() -> Result<T> {
    invalid("the archive ends in the middle of an entry")
}
