//! Small XDP programs made of single instructions: to hold an interface, to drop everything, and to
//! send frames on as fast as the kernel can.
//!
//! They stand beside the sensor's programs and share nothing with them. It must not know what they
//! are compared with.
#![expect(unsafe_code, reason = "bpf(2) has no safe wrapper for bare instructions")]

use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};

use anyhow::{Context as _, Result};
use nix::libc::{SYS_bpf, c_int, c_long, syscall};

const BPF_PROG_LOAD: u32 = 5;
const BPF_PROG_TEST_RUN: u32 = 10;
const BPF_LINK_CREATE: u32 = 28;
const BPF_PROG_TYPE_XDP: u32 = 6;

/// What a link at the XDP hook says it is for.
const BPF_XDP: u32 = 37;

/// In the driver, or not at all.
const XDP_FLAGS_DRV_MODE: u32 = 1 << 2;

/// Frames go where the program sends them, as if they had arrived (Linux 5.18, commit
/// b530e9e1063e).
const BPF_F_TEST_XDP_LIVE_FRAMES: u32 = 2;

/// Frames that are handed over together: the most the kernel takes.
const BATCH: u32 = 256;

/// `XDP_DROP` and `XDP_PASS`, as a program returns them.
const DROP: i32 = 1;
const PASS: i32 = 2;

/// The kernel's numbers of `bpf_ktime_get_ns` and `bpf_redirect`.
const CLOCK: i32 = 5;
const REDIRECT: i32 = 23;

/// Octets of an Ethernet header, and of one with an IPv4 header.
const ETHERNET: i32 = 14;
const WITH_IPV4: i32 = ETHERNET + 20;

/// Where the type of what is carried stands, and where an IPv4 packet says who sent it.
const ETHERTYPE: i16 = 12;
const SOURCE: i16 = 26;
const ETHERTYPE_IPV4: u16 = 0x0800;

/// A loaded XDP program.
#[derive(Debug)]
pub struct Program {
    descriptor: OwnedFd,
}

/// What holds a program at its hook. Dropping it detaches the program.
#[derive(Debug)]
pub struct Link(#[expect(dead_code, reason = "it is held for its end")] OwnedFd);

/// The part of `union bpf_attr` that loading uses, as far as a name (bpf.h).
#[repr(C)]
#[derive(Default)]
struct LoadAttributes {
    kind: u32,
    count: u32,
    instructions: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log: u64,
    kernel_version: u32,
    flags: u32,
    name: [u8; 16],
}

/// The part that making a link uses.
#[repr(C)]
struct LinkAttributes {
    program: u32,
    interface: u32,
    kind: u32,
    flags: u32,
}

/// The part that a run uses.
#[repr(C)]
#[derive(Default)]
struct RunAttributes {
    descriptor: u32,
    returned: u32,
    size_in: u32,
    size_out: u32,
    data_in: u64,
    data_out: u64,
    repeat: u32,
    duration: u32,
    context_size_in: u32,
    context_size_out: u32,
    context_in: u64,
    context_out: u64,
    flags: u32,
    cpu: u32,
    batch: u32,
}

/// Octets of [`RunAttributes`] without the padding at its end, which the kernel refuses.
const RUN_SIZE: usize = 76;

/// An instruction: operation, register, number.
const fn instruction(operation: u8, register: u8, number: i32) -> [u8; 8] {
    let [a, b, c, d] = number.to_ne_bytes();
    [operation, register, 0, 0, a, b, c, d]
}

/// An instruction with an offset, of registers: the target in the low half.
const fn at(operation: u8, registers: u8, offset: i16) -> [u8; 8] {
    let [a, b] = offset.to_ne_bytes();
    [operation, registers, a, b, 0, 0, 0, 0]
}

/// A jump over so many instructions unless the register holds these octets, as memory does.
const fn unless(register: u8, octets: [u8; 4], over: i16) -> [u8; 8] {
    let [a, b] = over.to_ne_bytes();
    let [c, d, e, f] = octets;
    [JUMP_OTHER, register, a, b, c, d, e, f]
}

/// Operations (instruction-set.rst).
const LOAD_WORD: u8 = 0x61;
const LOAD_HALF: u8 = 0x69;
const LOAD_OCTET: u8 = 0x71;
const MOVE: u8 = 0xb7;
const MOVE_REGISTER: u8 = 0xbf;
const ADD: u8 = 0x07;
const JUMP: u8 = 0x05;
const JUMP_ZERO: u8 = 0x15;
const JUMP_GREATER: u8 = 0x2d;
/// Of 32 bits, to another number than the given one.
const JUMP_OTHER: u8 = 0x56;
const CALL: u8 = 0x85;
const EXIT: [u8; 8] = instruction(0x95, 0, 0);

impl Program {
    /// A program that drops every frame.
    ///
    /// # Errors
    /// Without root.
    pub fn dropping(name: &str) -> Result<Self> {
        Self::load(name, &[instruction(MOVE, 0, DROP), EXIT])
    }

    /// A program that drops the IPv4 packets of one source and passes all else: the least that who
    /// looks at packets can do.
    ///
    /// # Errors
    /// Without root.
    pub fn dropping_source(name: &str, source: Ipv4Addr) -> Result<Self> {
        let [a, b] = ETHERTYPE_IPV4.to_be_bytes();
        let instructions = [
            // r2 = data, r3 = data_end of `struct xdp_md`.
            at(LOAD_WORD, 0x12, 0),
            at(LOAD_WORD, 0x13, 4),
            instruction(MOVE, 0, PASS),
            instruction(MOVE_REGISTER, 0x24, 0),
            instruction(ADD, 4, WITH_IPV4),
            at(JUMP_GREATER, 0x34, 5),
            at(LOAD_HALF, 0x25, ETHERTYPE),
            unless(5, u32::from(u16::from_ne_bytes([a, b])).to_ne_bytes(), 3),
            at(LOAD_WORD, 0x25, SOURCE),
            unless(5, source.octets(), 1),
            instruction(MOVE, 0, DROP),
            EXIT,
        ];
        Self::load(name, &instructions)
    }

    /// A program that sends every frame out by the interface of this index, after a pause: as many
    /// looks at the clock as the octet at `pause` says, which must lie in the Ethernet header.
    ///
    /// # Errors
    /// Without root.
    pub fn sending(interface: u32, pause: usize) -> Result<Self> {
        let interface = i32::try_from(interface).context("an interface's index is small")?;
        let pause = i16::try_from(pause).context("a header is short")?;
        let instructions = [
            // r6 = data, r7 = data_end of `struct xdp_md`.
            at(LOAD_WORD, 0x16, 0),
            at(LOAD_WORD, 0x17, 4),
            instruction(MOVE_REGISTER, 0x62, 0),
            instruction(ADD, 2, ETHERNET),
            at(JUMP_GREATER, 0x72, 5),
            at(LOAD_OCTET, 0x66, pause),
            at(JUMP_ZERO, 6, 3),
            instruction(CALL, 0, CLOCK),
            instruction(ADD, 6, -1),
            at(JUMP, 0, -4),
            instruction(MOVE, 1, interface),
            instruction(MOVE, 2, 0),
            instruction(CALL, 0, REDIRECT),
            EXIT,
        ];
        Self::load("flood_sending", &instructions)
    }

    fn load(name: &str, instructions: &[[u8; 8]]) -> Result<Self> {
        let mut attributes = LoadAttributes {
            kind: BPF_PROG_TYPE_XDP,
            count: u32::try_from(instructions.len()).context("a few instructions")?,
            instructions: instructions.as_ptr().addr() as u64,
            license: c"GPL".as_ptr().addr() as u64,
            ..LoadAttributes::default()
        };
        // The last octet stays zero: it ends the name.
        let room = &mut attributes.name[..15];
        room.iter_mut().zip(name.bytes()).for_each(|(place, octet)| *place = octet);
        // SAFETY: the attributes are those the command reads, of their size; they, the
        // instructions and the licence they point to live through the call.
        let loaded = unsafe {
            syscall(SYS_bpf, BPF_PROG_LOAD, &raw const attributes, size_of::<LoadAttributes>())
        };
        let descriptor = c_int::try_from(checked(loaded).context("cannot load a program")?)?;
        // SAFETY: the call gave this process the descriptor, and nothing else knows it.
        Ok(Self { descriptor: unsafe { OwnedFd::from_raw_fd(descriptor) } })
    }

    /// Attaches the program to the driver of the interface of this index, in this thread's
    /// namespace. It is detached when the link is dropped.
    ///
    /// # Errors
    /// When the driver has no hook, or another program has it.
    pub fn attach(&self, interface: u32) -> Result<Link> {
        let attributes = LinkAttributes {
            program: self.number(),
            interface,
            kind: BPF_XDP,
            flags: XDP_FLAGS_DRV_MODE,
        };
        // SAFETY: the attributes are those the command reads, of their size; they live through
        // the call.
        let made = unsafe {
            syscall(SYS_bpf, BPF_LINK_CREATE, &raw const attributes, size_of::<LinkAttributes>())
        };
        let link = c_int::try_from(checked(made).context("cannot attach a program")?)?;
        // SAFETY: the call gave this process the descriptor, and nothing else knows it.
        Ok(Link(unsafe { OwnedFd::from_raw_fd(link) }))
    }

    /// Has the program act on `frame` so many times, as if it had arrived. What the program sends
    /// it to must be in this thread's namespace.
    ///
    /// # Errors
    /// When the kernel does not run it.
    pub fn act(&self, frame: &[u8], times: u32) -> Result<()> {
        let mut attributes = RunAttributes {
            descriptor: self.number(),
            size_in: u32::try_from(frame.len()).context("a frame is short")?,
            data_in: frame.as_ptr().addr() as u64,
            repeat: times,
            flags: BPF_F_TEST_XDP_LIVE_FRAMES,
            batch: BATCH,
            ..RunAttributes::default()
        };
        // SAFETY: the attributes are those the command reads and writes, of their size; they and
        // the frame they point to live through the call. No room for an answer is given.
        let run = unsafe { syscall(SYS_bpf, BPF_PROG_TEST_RUN, &raw mut attributes, RUN_SIZE) };
        checked(run).context("the kernel does not run the program")?;
        Ok(())
    }

    fn number(&self) -> u32 {
        self.descriptor.as_raw_fd().cast_unsigned()
    }
}

fn checked(result: c_long) -> io::Result<c_long> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}
