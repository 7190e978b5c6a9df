//! Looks at the static binary as a kernel does: what it asks for, how large it is. That it runs
//! where there is nothing else is for tests/it/alone.rs.
//!
//! Reads the path from SX_STATIC_BIN, which `make test-static` sets; plain `cargo test` leaves this
//! file out. The layout is that of the ELF-64 specification, in little endian.

use std::env;
use std::fs;
use std::path::PathBuf;

/// One file that is copied to many machines, some of them over slow lines.
const FILE_BYTES_MAX: u64 = 4_000_000;

const TYPE_SHARED_OBJECT: u64 = 3;
const MACHINE_X86_64: u64 = 62;
const SEGMENT_DYNAMIC: u64 = 2;
const SEGMENT_INTERPRETER: u64 = 3;
const SEGMENT_STACK: u64 = 0x6474_e551;
const SECTION_SYMBOLS: u64 = 2;
const DYNAMIC_NEEDED: u64 = 1;
const FLAG_EXECUTE: u64 = 1;
const FLAG_WRITE: u64 = 2;

#[test]
fn needs_no_interpreter_and_no_library() {
    let elf = Elf::read();
    assert!(
        elf.segments(SEGMENT_INTERPRETER).is_empty(),
        "the file names an interpreter"
    );
    for dynamic in elf.segments(SEGMENT_DYNAMIC) {
        let entries = (dynamic.offset..dynamic.offset + dynamic.size).step_by(16);
        let needed = entries
            .filter(|&at| elf.number(at, 8) == DYNAMIC_NEEDED)
            .count();
        assert_eq!(needed, 0, "shared libraries that the file needs");
    }
}

#[test]
fn is_position_independent_for_x86_64() {
    let elf = Elf::read();
    assert_eq!(elf.number(16, 2), TYPE_SHARED_OBJECT, "type");
    assert_eq!(elf.number(18, 2), MACHINE_X86_64, "machine");
}

#[test]
fn no_memory_is_writable_and_executable_at_once() {
    let elf = Elf::read();
    assert_eq!(
        elf.segments(SEGMENT_STACK).len(),
        1,
        "headers that speak of the stack"
    );
    for segment in elf.all_segments() {
        let both = FLAG_EXECUTE | FLAG_WRITE;
        assert_ne!(
            segment.flags & both,
            both,
            "segment of kind {:#x}",
            segment.kind
        );
    }
}

#[test]
fn is_stripped() {
    let elf = Elf::read();
    let (table, size, count) = (elf.number(40, 8), elf.number(58, 2), elf.number(60, 2));
    let kinds = (0..count).map(|index| elf.number(table + index * size + 4, 4));
    assert_eq!(
        kinds.filter(|&kind| kind == SECTION_SYMBOLS).count(),
        0,
        "symbol tables"
    );
}

#[test]
fn is_small() {
    let bytes = fs::metadata(binary()).expect("the binary is there").len();
    assert!(
        bytes <= FILE_BYTES_MAX,
        "{bytes} bytes, {FILE_BYTES_MAX} allowed"
    );
}

fn binary() -> PathBuf {
    let path = env::var_os("SX_STATIC_BIN");
    path.expect("SX_STATIC_BIN names no file: `make test-static` builds it with `make static`")
        .into()
}

/// The bytes of an ELF file.
struct Elf(Vec<u8>);

/// A line of the program header table.
struct Segment {
    kind: u64,
    flags: u64,
    offset: u64,
    size: u64,
}

impl Elf {
    fn read() -> Self {
        let bytes = fs::read(binary()).expect("the binary can be read");
        assert_eq!(
            &bytes[..6],
            b"\x7fELF\x02\x01",
            "not an ELF-64 file in little endian"
        );
        Self(bytes)
    }

    /// The number of `width` bytes at `offset`.
    fn number(&self, offset: u64, width: usize) -> u64 {
        let at = usize::try_from(offset).expect("an offset in a file that fits into memory");
        let bytes = &self.0[at..at + width];
        bytes
            .iter()
            .rev()
            .fold(0, |number, &byte| number << 8 | u64::from(byte))
    }

    fn all_segments(&self) -> Vec<Segment> {
        let (table, size, count) = (self.number(32, 8), self.number(54, 2), self.number(56, 2));
        let starts = (0..count).map(|index| table + index * size);
        let segment = |at| Segment {
            kind: self.number(at, 4),
            flags: self.number(at + 4, 4),
            offset: self.number(at + 8, 8),
            size: self.number(at + 32, 8),
        };
        starts.map(segment).collect()
    }

    fn segments(&self, kind: u64) -> Vec<Segment> {
        self.all_segments()
            .into_iter()
            .filter(|segment| segment.kind == kind)
            .collect()
    }
}
