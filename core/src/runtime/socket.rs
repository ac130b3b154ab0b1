//! Hibernatable sockets of an object.

use bytes::Bytes;

/// The object's end of a socket that outlives the object's memory.
pub trait HibernatingSocket: Clone + 'static {
    /// Queues a message. Held back until what was written before it is durable; there is no back-pressure.
    fn send(&self, message: Bytes);

    /// Closes the socket, after what was sent before.
    fn close(&self, code: u16, reason: &str);

    /// The bytes attached to the socket; they survive hibernation.
    fn attachment(&self) -> Bytes;

    /// Replaces the attachment, at most 16,384 bytes (platform limit).
    fn set_attachment(&self, attachment: Bytes);
}

/// An object's sockets.
pub trait SocketState {
    /// One socket.
    type Socket: HibernatingSocket;

    /// All connected sockets that carry the tag, in the order in which they were accepted.
    fn sockets(&self, tag: &str) -> Vec<Self::Socket>;
}
