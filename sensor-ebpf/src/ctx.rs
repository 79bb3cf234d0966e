//! Checked access to the octets of a packet, for each kind of program context.
//!
//! The only file that holds packet pointers. It must not know what the octets mean.
#![expect(unsafe_code, reason = "packet pointers and helper calls have no safe form")]
#![expect(clippy::cast_ptr_alignment, reason = "packet loads may be unaligned on BPF")]

use core::mem::MaybeUninit;

use aya_ebpf::EbpfContext as _;
use aya_ebpf::helpers::generated::{bpf_skb_load_bytes, bpf_xdp_get_buff_len, bpf_xdp_load_bytes};
use aya_ebpf::programs::{TcContext, XdpContext};
use hooksensor_ebpf::abi::Sample;
use hooksensor_ebpf::packet::{Load, Network, Plain, Window};

use crate::apart;

/// No header starts past this octet: four tags, and eight extensions of at most 2048 octets, end
/// before it. The verifier wants a bound, and follows none above 65535.
const LAST_HEADER: usize = 0x7fff;

/// What a hook hands in.
pub(crate) trait Frame: Load + Sized {
    /// Octets of the frame that can be read in place.
    fn linear(&self) -> usize;

    /// Octets of the whole frame, fragments included.
    fn length(&self) -> usize;

    /// Octets of the frame, by a call only where its packet, which ends at `end`, does not end in
    /// the linear part.
    #[inline(always)]
    fn length_for(&self, end: usize) -> usize {
        let linear = self.linear();
        if end > linear { self.length() } else { linear }
    }

    /// Four octets as a number in network order.
    #[inline(always)]
    fn number(&self, offset: usize) -> Option<u32> {
        self.window::<4>(offset).map(|window| u32::from_be(window.word::<0>()))
    }

    /// Index of the interface.
    fn interface(&self) -> u32;

    /// Packets it will be on the wire, where segmentation is left to the device; 0 or 1 otherwise.
    fn packets(&self) -> u64 {
        1
    }

    /// The headers of a plain frame, where they can be read in place.
    fn plain(&self) -> Option<Plain<Self>> {
        None
    }

    /// Walks any packet, see [`apart`]. Whether there is an address; if not, `transport` says why.
    fn walk(&self, network: &mut Network) -> bool;

    /// Writes a segment to the ring, see [`apart`].
    fn copy_up(&self, head: &Sample, slot: u32, payload: usize);

    /// Copies `length` octets from `offset` to the front of `target`; whether that could be done.
    /// `length` is bounded here again, where the verifier can see it.
    #[inline(always)]
    fn copy<const N: usize>(
        &self,
        offset: usize,
        target: &mut MaybeUninit<[u8; N]>,
        length: usize,
    ) -> bool {
        // Without the first octet: Linux 6.1 learns no bound from a comparison with zero.
        let rest = opaque(length.wrapping_sub(1));
        if rest >= N {
            return false;
        }
        let length = rest + 1;
        // SAFETY: `target` holds `N` octets and `length` is at most that.
        unsafe { self.load(low32(offset as u64), target.as_mut_ptr().cast(), low32(length as u64)) }
    }

    /// Copies octets by the helper of the hook.
    ///
    /// # Safety
    ///
    /// `target` must have room for `length` octets.
    unsafe fn load(&self, offset: u32, target: *mut u8, length: u32) -> bool;

    /// `N` octets by copy, wherever in the frame they are.
    #[inline(always)]
    fn octets<const N: usize>(&self, offset: usize) -> Option<[u8; N]> {
        let mut octets = MaybeUninit::<[u8; N]>::uninit();
        if self.copy(offset, &mut octets, N) {
            // SAFETY: the copy filled all `N` octets.
            Some(unsafe { octets.assume_init() })
        } else {
            None
        }
    }
}

/// A frame at the driver: its linear part is read in place.
pub(crate) struct XdpBuffer {
    context: XdpContext,
}

/// `N` octets of a frame's linear part.
pub(crate) struct InPlace<const N: usize>(*const u8);

/// A packet on its way out.
pub(crate) struct SocketBuffer {
    context: TcContext,
}

/// `N` octets copied out of a packet, aligned as headers align their fields.
#[repr(align(4))]
pub(crate) struct Copied<const N: usize>([u8; N]);

impl XdpBuffer {
    /// Wraps what the hook hands in.
    #[inline(always)]
    pub(crate) const fn new(context: XdpContext) -> Self {
        Self { context }
    }
}

impl Load for XdpBuffer {
    type Window<const N: usize> = InPlace<N>;

    #[inline(always)]
    fn window<const N: usize>(&self, offset: usize) -> Option<InPlace<N>> {
        // Linux 6.1 forgets a bound that was tested on a copy of the offset, in a register or on
        // the stack: here it is tested on the one that is used.
        let offset = opaque(offset);
        if offset > LAST_HEADER {
            return None;
        }
        let start = self.context.data() + offset;
        if start + N > self.context.data_end() {
            return None;
        }
        Some(InPlace(start as *const u8))
    }

    #[inline(always)]
    fn forget(&self, offset: usize) -> usize {
        forgotten(offset, self.context.rx_queue_index() as usize)
    }

    #[inline(always)]
    fn turns(&self, most: usize) -> usize {
        opaque(most)
    }
}

impl<const N: usize> Window<N> for InPlace<N> {
    #[inline(always)]
    fn u8<const AT: usize>(&self) -> u8 {
        const { assert!(AT < N) };
        // SAFETY: `window` checked `N` octets against the end of the packet, and `AT` is below.
        unsafe { self.0.add(AT).read() }
    }

    #[inline(always)]
    fn u16<const AT: usize>(&self) -> u16 {
        const { assert!(AT + 2 <= N) };
        // SAFETY: as above; BPF packet loads may be unaligned where the verifier allows them, and
        // it rejects the program where it does not.
        u16::from_be(unsafe { self.0.add(AT).cast::<u16>().read() })
    }

    #[inline(always)]
    fn word<const AT: usize>(&self) -> u32 {
        const { assert!(AT + 4 <= N) };
        // SAFETY: as above.
        unsafe { self.0.add(AT).cast::<u32>().read() }
    }
}

impl Frame for XdpBuffer {
    #[inline(always)]
    fn linear(&self) -> usize {
        self.context.data_end() - self.context.data()
    }

    #[inline(always)]
    fn number(&self, offset: usize) -> Option<u32> {
        match self.window::<4>(offset) {
            Some(window) => Some(u32::from_be(window.word::<0>())),
            None => self.octets(offset).map(u32::from_be_bytes),
        }
    }

    #[inline(always)]
    fn length(&self) -> usize {
        // SAFETY: the context is the one the kernel handed to this program.
        low32(unsafe { bpf_xdp_get_buff_len(self.context.ctx) }) as usize
    }

    #[inline(always)]
    fn interface(&self) -> u32 {
        low32(self.context.ingress_ifindex() as u64)
    }

    #[inline(always)]
    fn plain(&self) -> Option<Plain<Self>> {
        Plain::of(self)
    }

    #[inline(always)]
    fn walk(&self, network: &mut Network) -> bool {
        apart::hooksensor_walk_buffer(self.context.ctx, network) != 0
    }

    #[inline(always)]
    fn copy_up(&self, head: &Sample, slot: u32, payload: usize) {
        apart::hooksensor_copy_buffer(self.context.ctx, head, slot, low32(payload as u64));
    }

    #[inline(always)]
    unsafe fn load(&self, offset: u32, target: *mut u8, length: u32) -> bool {
        // SAFETY: the context is the kernel's, and the caller vouches for the target.
        unsafe { bpf_xdp_load_bytes(self.context.ctx, offset, target.cast(), length) == 0 }
    }
}

impl SocketBuffer {
    /// Wraps what the hook hands in.
    #[inline(always)]
    pub(crate) const fn new(context: TcContext) -> Self {
        Self { context }
    }
}

impl Load for SocketBuffer {
    type Window<const N: usize> = Copied<N>;

    #[inline(always)]
    fn window<const N: usize>(&self, offset: usize) -> Option<Copied<N>> {
        let mut window = MaybeUninit::<Copied<N>>::uninit();
        let target = window.as_mut_ptr().cast();
        // SAFETY: `target` holds `N` octets, and the copy fills them all.
        unsafe {
            self.load(low32(offset as u64), target, low32(N as u64)).then(|| window.assume_init())
        }
    }

    #[inline(always)]
    fn forget(&self, offset: usize) -> usize {
        forgotten(offset, self.context.len() as usize)
    }

    #[inline(always)]
    fn turns(&self, most: usize) -> usize {
        opaque(most)
    }
}

impl<const N: usize> Window<N> for Copied<N> {
    #[inline(always)]
    fn u8<const AT: usize>(&self) -> u8 {
        const { assert!(AT < N) };
        self.0[AT]
    }

    #[inline(always)]
    fn u16<const AT: usize>(&self) -> u16 {
        const { assert!(AT + 2 <= N && AT.is_multiple_of(2)) };
        // SAFETY: within the array, and aligned as it is. Put together from octets, a field would
        // be kept as such: a stack slot each.
        u16::from_be(unsafe { self.0.as_ptr().add(AT).cast::<u16>().read() })
    }

    #[inline(always)]
    fn word<const AT: usize>(&self) -> u32 {
        const { assert!(AT + 4 <= N) };
        let place = self.0.as_ptr().wrapping_add(AT).cast::<u32>();
        // SAFETY: as above.
        unsafe { if AT.is_multiple_of(4) { place.read() } else { place.read_unaligned() } }
    }
}

impl Frame for SocketBuffer {
    #[inline(always)]
    fn linear(&self) -> usize {
        self.length()
    }

    #[inline(always)]
    fn length(&self) -> usize {
        self.context.len() as usize
    }

    #[inline(always)]
    fn packets(&self) -> u64 {
        // SAFETY: the context is the one the kernel handed to this program (Linux 5.1).
        u64::from(unsafe { (*self.context.skb.skb).gso_segs })
    }

    #[inline(always)]
    fn interface(&self) -> u32 {
        // SAFETY: the context is the one the kernel handed to this program.
        unsafe { (*self.context.skb.skb).ifindex }
    }

    #[inline(always)]
    fn walk(&self, network: &mut Network) -> bool {
        apart::hooksensor_walk_socket(self.context.skb.skb, network) != 0
    }

    #[inline(always)]
    fn copy_up(&self, head: &Sample, slot: u32, payload: usize) {
        apart::hooksensor_copy_socket(self.context.skb.skb, head, slot, low32(payload as u64));
    }

    #[inline(always)]
    unsafe fn load(&self, offset: u32, target: *mut u8, length: u32) -> bool {
        // SAFETY: the context is the kernel's, and the caller vouches for the target.
        unsafe { bpf_skb_load_bytes(self.context.as_ptr(), offset, target.cast(), length) == 0 }
    }
}

/// The low half of a value. Lengths and offsets are far below 2^32, and a checked conversion
/// would leave a panic the verifier rejects.
#[inline(always)]
pub(crate) const fn low32(value: u64) -> u32 {
    let [a, b, c, d, ..] = value.to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}

/// The low quarter of a value, as above.
#[inline(always)]
pub(crate) const fn low16(value: u64) -> u16 {
    let [a, b, ..] = value.to_le_bytes();
    u16::from_le_bytes([a, b])
}

/// The same value, of which the verifier knows nothing any more, by way of one it cannot know.
#[inline(always)]
fn forgotten(value: usize, unknown: usize) -> usize {
    opaque(value ^ unknown) ^ unknown
}

/// The same value where it lies in memory. The compiler would otherwise keep each field on the
/// stack a second time, whether it is looked at or not.
#[inline(always)]
pub(crate) fn in_memory<T>(value: &T) -> &T {
    let mut place: *const T = value;
    // SAFETY: the pointer is moved onto itself.
    unsafe {
        core::arch::asm!("{0} = {0}", inout(reg) place);
        &*place
    }
}

/// Hides what the compiler knows of a value, so that it cannot leave out the bounds check the
/// verifier asks for. One instruction rather than none, for the kernel refuses line information
/// that names the same instruction twice.
#[inline(always)]
pub(crate) fn opaque(value: usize) -> usize {
    let mut value = value;
    // SAFETY: the value is moved onto itself.
    unsafe { core::arch::asm!("{0} = {0}", inout(reg) value) };
    value
}
