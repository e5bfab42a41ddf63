// The address of the page is the state of the page: every view can be linked.

import { batch, computed, signal } from "@preact/signals";

export type Route =
  | { page: "plant" }
  | { page: "asset"; asset: string }
  | { page: "alarms"; id: number | null }
  | { page: "edges" }
  | { page: "oncall" }
  | { page: "roster" }
  | { page: "models" }
  | { page: "missing" };

const path = signal(location.pathname);
const query = signal(location.search);

export const route = computed<Route>(() => parse(path.value));
export const params = computed(() => new URLSearchParams(query.value));

export function parse(p: string): Route {
  if (p === "/" || p === "") return { page: "plant" };
  if (p.startsWith("/a/")) {
    try {
      const asset = p.slice(3).split("/").map(decodeURIComponent).join("/");
      return asset === "" ? { page: "missing" } : { page: "asset", asset };
    } catch {
      return { page: "missing" };
    }
  }
  if (p === "/alarms" || p === "/alarms/") return { page: "alarms", id: null };
  const m = /^\/alarms\/(\d{1,15})$/.exec(p);
  if (m) return { page: "alarms", id: Number(m[1]) };
  if (p === "/edges") return { page: "edges" };
  if (p === "/oncall" || p === "/oncall/") return { page: "oncall" };
  if (p === "/oncall/roster") return { page: "roster" };
  if (p === "/models") return { page: "models" };
  return { page: "missing" };
}

export function assetPath(asset: string): string {
  return `/a/${asset.split("/").map(encodeURIComponent).join("/")}`;
}

export function alarmPath(id: number): string {
  return `/alarms/${id}`;
}

function read(): void {
  batch(() => {
    path.value = location.pathname;
    query.value = location.search;
  });
}

export function go(to: string): void {
  if (to === location.pathname + location.search) return;
  history.pushState(null, "", to);
  read();
}

/** setParams changes the query without a new entry in the history. */
export function setParams(change: Record<string, string>): void {
  const q = new URLSearchParams(location.search);
  for (const [k, v] of Object.entries(change)) {
    if (v === "") q.delete(k);
    else q.set(k, v);
  }
  const tail = q.size > 0 ? `?${q}` : "";
  history.replaceState(null, "", location.pathname + tail);
  read();
}

/** startRouter follows the browser's buttons and takes clicks on links of this page. */
export function startRouter(): void {
  addEventListener("popstate", read);
  document.addEventListener("click", (e) => {
    if (e.defaultPrevented || e.button !== 0 || e.metaKey || e.ctrlKey || e.shiftKey || e.altKey) return;
    const a = e.target instanceof Element ? e.target.closest("a") : null;
    if (!a || a.target || a.hasAttribute("download") || a.origin !== location.origin) return;
    if (parse(a.pathname).page === "missing" || a.hash) return;
    e.preventDefault();
    go(a.pathname + a.search);
  });
}
