// What the HTTP API gives, as hmi/API.md describes it.

export type AlarmClass = "advisory" | "alarm" | "sensor" | "system";
export type AlarmState = "unacked" | "acked" | "rtn_unacked" | "cleared";
export type AssetState = "stale" | "alarm" | "warning" | "sensor" | "learning" | "normal";

export interface Contribution {
  tag: string;
  share: number;
  value: number | null;
  expected: number | null;
  direction: string;
  unit?: string;
}

export interface Finding {
  detector: string;
  score: number | null;
  limit: number | null;
  contributions: Contribution[] | null;
  key: string;
  kind: string;
  phase: string;
  tag: string | null;
  mode: string | null;
  time: string;
  value: number | null;
  unit: string | null;
  extrapolated: boolean;
}

export interface Alarm {
  id: number;
  asset: string;
  class: AlarmClass;
  state: AlarmState;
  priority: number;
  title: string;
  raised: string;
  returned: string | null;
  acked: string | null;
  acked_by: string | null;
  count: number;
  seq: number;
  edge: string;
  note: string | null;
  finding: Finding;
}

export interface AlarmList {
  alarms: Alarm[];
  next: string | null;
  seq: number;
}

export interface Model {
  phase: string;
  mode: string;
  learned: number;
  limit: number;
  guess: boolean;
}

/** The value of a $MODEL tag. */
export interface ModelState extends Model {
  bands?: Record<string, [number, number]>;
}

export interface Worst {
  id: number;
  class: AlarmClass;
  state: AlarmState;
  priority: number;
  title: string;
  kind: string;
  tag: string | null;
  raised: string;
}

export interface Asset {
  path: string;
  name: string;
  class: string;
  criticality?: string | null;
  health: number | null;
  score: number | null;
  state: AssetState;
  mode: string | null;
  alarms: number;
  unacked: number;
  age_ms: number | null;
  tags: number;
  stale_tags: number;
  model: Model | null;
  worst: Worst | null;
}

export interface Last {
  t: string;
  v: number | null;
  q: string;
  text?: string;
}

export type TagKind = "analog" | "setpoint" | "discrete" | "text";

export interface Tag {
  path: string;
  asset: string;
  unit: string;
  low: number | null;
  high: number | null;
  description: string;
  kind: TagKind;
  derived: boolean;
  resolution: number | null;
  last: Last | null;
}

export interface Bucket {
  t: string;
  min: number | null;
  max: number | null;
  mean: number | null;
  count: number;
  good: number;
}

export interface TextState {
  t: string;
  v: string;
  q: string;
}

export interface Gap {
  tag: string;
  from: string;
  to: string;
  reason: string;
}

export interface PLC {
  name: string;
  url: string;
  state: string;
  reason: string | null;
  since: string | null;
  tags: number;
  values_s: number;
  rejected: string[] | null;
  overflows: number;
  received: number;
}

export interface Edge {
  name: string;
  state: string;
  since: string | null;
  queue_bytes: number;
  oldest: string | null;
  sent: number;
  acked: number;
  declared: number;
  clock_offset_ms: number;
  version: string;
  plcs: PLC[] | null;
}

export interface Role {
  name: string;
  state: string;
  reason: string | null;
}

export interface Health {
  status: string;
  version: string;
  roles: Role[] | null;
}

export interface Me {
  name: string;
  role: string;
  login: boolean;
  can: string[];
}

/** limitOf is the score at which a finding is raised; none while the model does not watch. */
export function limitOf(a: Asset): number | null {
  return a.model?.phase === "monitoring" && a.model.limit > 0 ? a.model.limit : null;
}

/** limitOfOpen is the limit that an open finding of the learned model has passed. */
export function limitOfOpen(open: readonly Alarm[]): number | null {
  const limit = open.find((a) => a.finding.kind === "machine.anomaly")?.finding.limit ?? null;
  return limit !== null && limit > 0 && limit <= 1 ? limit : null;
}
