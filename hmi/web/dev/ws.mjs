// The least of a WebSocket server (RFC 6455) that the development fixture needs.

import { createHash } from "node:crypto";

const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/** accept answers an upgrade and gives { send, close, onText, onClose }. */
export function accept(req, socket) {
  const key = createHash("sha1")
    .update(req.headers["sec-websocket-key"] + GUID)
    .digest("base64");
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${key}\r\n\r\n`,
  );
  socket.setNoDelay(true);
  const ws = {
    onText: () => {},
    onClose: () => {},
    send(data) {
      const text = typeof data === "string";
      const body = text ? Buffer.from(data) : data;
      const n = body.length;
      const head = n < 126 ? Buffer.from([0, n]) : n < 65536 ? Buffer.alloc(4) : Buffer.alloc(10);
      head[0] = 0x80 | (text ? 1 : 2);
      if (n >= 65536) {
        head[1] = 127;
        head.writeBigUInt64BE(BigInt(n), 2);
      } else if (n >= 126) {
        head[1] = 126;
        head.writeUInt16BE(n, 2);
      }
      socket.write(Buffer.concat([head, body]));
    },
    close: () => socket.destroy(),
  };
  let buf = Buffer.alloc(0);
  socket.on("data", (d) => {
    buf = Buffer.concat([buf, d]);
    while (buf.length >= 2) {
      let n = buf[1] & 127;
      let at = 2;
      if (n === 126) {
        if (buf.length < 4) return;
        n = buf.readUInt16BE(2);
        at = 4;
      } else if (n === 127) {
        if (buf.length < 10) return;
        n = Number(buf.readBigUInt64BE(2));
        at = 10;
      }
      if (buf.length < at + 4 + n) return;
      const mask = buf.subarray(at, at + 4);
      const body = Buffer.from(buf.subarray(at + 4, at + 4 + n));
      for (let i = 0; i < n; i++) body[i] ^= mask[i % 4];
      const op = buf[0] & 15;
      buf = buf.subarray(at + 4 + n);
      if (op === 1) ws.onText(body.toString());
      if (op === 8) socket.end();
    }
  });
  socket.on("error", () => {});
  socket.on("close", () => ws.onClose());
  return ws;
}
