import { observeDate } from "./clock.ts";

const BASE = "/api/v1/";
const PATIENCE = 8000; // ms that an answer may take

/** Problem is what the server (or the way to it) said instead of an answer. */
export class Problem extends Error {
  readonly status: number; // 0: no answer at all
  /** what is wrong in a document, each with its place: "people[1].name: …" */
  readonly faults: readonly string[];
  constructor(status: number, detail: string, faults: readonly string[] = []) {
    super(detail);
    this.status = status;
    this.faults = faults;
  }
}

type Query = Record<string, string | number | undefined>;

export function get<T>(route: string, query: Query = {}, signal?: AbortSignal): Promise<T> {
  const q = new URLSearchParams();
  for (const [k, v] of Object.entries(query)) if (v !== undefined && v !== "") q.set(k, String(v));
  const tail = q.size > 0 ? `?${q}` : "";
  return call<T>(route + tail, signal ? { signal } : {});
}

export function post<T>(route: string, body: unknown): Promise<T> {
  return call<T>(route, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
}

export function put<T>(route: string, body: unknown): Promise<T> {
  return call<T>(route, { method: "PUT", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
}

export function remove(route: string): Promise<unknown> {
  return call<unknown>(route, { method: "DELETE" });
}

/** asProblem is anything that was thrown, as what a page can show. */
export function asProblem(e: unknown): Problem {
  return e instanceof Problem ? e : new Problem(0, String(e));
}

async function call<T>(route: string, init: RequestInit): Promise<T> {
  const patience = AbortSignal.timeout(PATIENCE);
  const signal = init.signal ? AbortSignal.any([init.signal, patience]) : patience;
  const sent = Date.now();
  let res: Response;
  try {
    res = await fetch(BASE + route, { ...init, signal, headers: { Accept: "application/json", ...init.headers } });
  } catch (e) {
    throw new Problem(0, e instanceof Error ? e.message : String(e));
  }
  observeDate(res.headers.get("Date"), sent, Date.now());
  if (res.status === 401) toLogin();
  if (!res.ok) throw await problem(res);
  return (res.status === 204 ? undefined : await res.json()) as T;
}

async function problem(res: Response): Promise<Problem> {
  try {
    const p = (await res.json()) as { detail?: string; title?: string; faults?: string[] };
    return new Problem(res.status, p.detail || p.title || res.statusText, p.faults ?? []);
  } catch {
    return new Problem(res.status, res.statusText);
  }
}

/** toLogin leaves the page for the server's login form and comes back. */
export function toLogin(): void {
  location.assign(`/login?next=${encodeURIComponent(location.pathname + location.search)}`);
}
