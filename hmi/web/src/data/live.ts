// Live values over one WebSocket: subscribes to what is on screen, keeps the
// latest value of each tag as a signal, and knows when the link is dead.

import { batch, type Signal, signal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import { now } from "./clock.ts";
import { decodeFrame, GREATEST_AGE } from "./frame.ts";
import { toLogin } from "./http.ts";
import { repeat } from "./pace.ts";
import { STALE, severityOfName } from "./quality.ts";

export interface LiveValue {
  /** NaN: no value, or a text */
  value: number;
  text: string | null;
  status: number;
  /** source time, ms of the server's clock */
  at: number;
  /** the source time may be any time before at: a frame holds no greater age */
  older: boolean;
}

export type LinkState = "connecting" | "live" | "lost";

/** link is the state of the way to the server; anything but live means that no value on the page is. */
export const link = signal<LinkState>("connecting");
/** linkSince is when the state began, ms of the browser's clock. */
export const linkSince = signal(Date.now());

const SILENCE = 2200; // ms without a frame; the server sends one a second
const EVERY = 200; // ms between two looks of what came; no eye reads more
const MOST = 40; // messages that wait for a page that draws nothing
const RETRY_MIN = 400;
const RETRY_MAX = 4000;
const NO_VALUE = 0x80320000;

interface Entry {
  readonly value: Signal<LiveValue | null>;
  users: number;
}

const entries = new Map<string, Entry>();
let socket: WebSocket | null = null;
let byId = new Map<number, Entry>();
let answered = false; // the ids of the present list are known
let lastFrame = 0;
let retry = RETRY_MIN;
let listTimer = 0;

function setLink(s: LinkState): void {
  if (link.value === s) return;
  batch(() => {
    link.value = s;
    linkSince.value = Date.now();
  });
}

export function startLive(): void {
  connect();
  repeat(EVERY, show);
  setInterval(() => {
    if (socket?.readyState === WebSocket.OPEN && Date.now() - lastFrame > SILENCE) drop(socket);
  }, 100);
  addEventListener("online", () => {
    if (link.value !== "live") hurry();
  });
}

let retryTimer = 0;

function hurry(): void {
  clearTimeout(retryTimer);
  retry = RETRY_MIN;
  if (!socket) connect();
}

function connect(): void {
  const url = new URL("/api/v1/live", location.href);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  const ws = new WebSocket(url);
  ws.binaryType = "arraybuffer";
  socket = ws;
  lastFrame = Date.now();
  const opening = setTimeout(() => {
    if (ws.readyState === WebSocket.CONNECTING) drop(ws);
  }, 4000);
  ws.onopen = () => {
    clearTimeout(opening);
    lastFrame = Date.now();
    sendList();
  };
  ws.onmessage = (m: MessageEvent<ArrayBuffer | string>) => {
    if (socket !== ws) return;
    lastFrame = Date.now();
    waiting.push({ at: now(), data: m.data });
    if (document.hidden || waiting.length > MOST) show();
  };
  ws.onclose = (e) => {
    clearTimeout(opening);
    if (e.code === 1008 && e.reason === "login") toLogin();
    drop(ws);
  };
}

const waiting: { at: number; data: ArrayBuffer | string }[] = [];

/** show takes what came since the last look, every value of it: trends keep their extremes. */
function show(): void {
  for (const { at, data } of waiting.splice(0)) {
    if (typeof data === "string") onText(data);
    else onFrame(data, at);
  }
}

/** drop gives a socket up, dead or silent, and tries again. */
function drop(ws: WebSocket): void {
  if (socket !== ws) return;
  socket = null;
  waiting.length = 0;
  answered = false;
  byId = new Map();
  ws.close();
  setLink("lost");
  retryTimer = setTimeout(connect, retry * (0.75 + Math.random() / 2));
  retry = Math.min(retry * 1.6, RETRY_MAX);
}

function sendList(): void {
  clearTimeout(listTimer);
  listTimer = 0;
  if (socket?.readyState !== WebSocket.OPEN) return;
  answered = false;
  const tags: string[] = [];
  for (const [tag, e] of entries) if (e.users > 0) tags.push(tag);
  socket.send(JSON.stringify({ tags, texts: true }));
}

function listSoon(): void {
  if (listTimer === 0) listTimer = setTimeout(sendList, 30);
}

interface Answer {
  ids?: Record<string, number>;
  unknown?: string[];
  texts?: { id: number; t: string; v: string; q: string }[];
}

function onText(raw: string): void {
  const a = JSON.parse(raw) as Answer;
  if (a.ids) {
    byId = new Map();
    for (const [tag, id] of Object.entries(a.ids)) {
      const e = entries.get(tag);
      if (e) byId.set(id, e);
    }
    answered = true;
    retry = RETRY_MIN;
    if (a.unknown?.length) setTimeout(listSoon, 5000); // they may become known
  }
  if (a.texts && answered) {
    const texts = a.texts;
    batch(() => {
      for (const x of texts) {
        const e = byId.get(x.id);
        const s = severityOfName(x.q);
        if (e) {
          const status = s === "good" ? 0 : s === "stale" ? STALE : s === "uncertain" ? 0x40000000 : 0x80000000;
          e.value.value = { value: Number.NaN, text: x.v, status, at: Date.parse(x.t), older: false };
        }
      }
    });
  }
}

/** onFrame takes the values of a frame that came at a time of the server's clock, ms. */
function onFrame(bytes: ArrayBuffer, at: number): void {
  if (!answered) return; // ids of an older list
  batch(() => {
    decodeFrame(bytes, (item) => {
      const e = byId.get(item.id);
      if (!e) return;
      const old = e.value.peek();
      if (item.status === NO_VALUE && Number.isNaN(item.value)) {
        if (!old || old.text === null) e.value.value = null;
        return;
      }
      if (old?.text != null && Number.isNaN(item.value)) {
        // a text tag: its number frame carries quality only
        if (old.status !== item.status) e.value.value = { ...old, status: item.status };
        return;
      }
      const older = Number.isNaN(item.age);
      const same = older && old?.value === item.value;
      const then = same ? old.at : at - (older ? GREATEST_AGE : item.age);
      e.value.value = { value: item.value, text: null, status: item.status, at: then, older: same ? old.older : older };
    });
    setLink("live"); // not before: the first frame after the ids has every value
  });
}

function entry(tag: string): Entry {
  let e = entries.get(tag);
  if (!e) {
    e = { value: signal<LiveValue | null>(null), users: 0 };
    entries.set(tag, e);
  }
  return e;
}

/** useLive subscribes to a tag while the component is shown. */
export function useLive(tag: string): Signal<LiveValue | null> {
  const e = useMemo(() => entry(tag), [tag]);
  useEffect(() => {
    e.users++;
    if (e.users === 1) listSoon();
    return () => {
      e.users--;
      if (e.users > 0) return;
      e.value.value = null; // nobody refreshes it from here on
      listSoon();
    };
  }, [e]);
  return e.value;
}
