// What the HTTP API gives, as hmi/API.md describes it.

export type AlarmClass = "advisory" | "alarm" | "sensor" | "system" | "plc";
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
  /** of class plc: the PLC's own words */
  text?: string | null;
  /** of class plc: source and condition as the PLC names them */
  condition?: string | null;
  /** of kind system.loss */
  loss?: Loss | null;
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
  /** what the crew found */
  label?: Label | null;
}

/** Cause is a failure mode that a finding may come from. */
export interface Cause {
  mode: string;
  name: string;
  score: number | null;
  present: string[];
  absent: string[];
}

/** AlarmDetail is an alarm by itself: null where there is nothing to compare, empty where nothing fits. */
export interface AlarmDetail extends Alarm {
  causes: Cause[] | null;
  basis: string | null;
}

export type Verdict = "confirmed" | "not_a_fault" | "sensor_fault" | "process_change" | "duplicate";

export interface Label {
  id: number;
  alarm: number;
  asset: string;
  detector: string;
  tag: string | null;
  verdict: Verdict;
  code: string | null;
  of: number | null;
  note: string | null;
  from: string;
  to: string;
  who: string;
  at: string;
}

export interface Precision {
  asset: string;
  detector: string;
  alarms: number;
  labelled: number;
  confirmed: number;
  not_fault: number;
  sensor: number;
  process: number;
  duplicate: number;
  share: number | null;
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
  /** the PLC's own words */
  text?: string | null;
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

/** Origin says where a figure comes from; empty where nobody has said so. */
export interface Origin {
  source: string;
  author: string;
  date: string;
}

/** Machine is what the asset file says of an asset. Texts may be empty. */
export interface Machine {
  path: string;
  number: string;
  nameplate: {
    maker: string;
    model: string;
    serial: string;
    power_kw: number | null;
    speed_min: number | null;
    speed_max: number | null;
    support: string;
    group: number | null;
    redundancy: string;
    lubricant: string;
    origin: Origin;
  } | null;
  bearings: {
    position: string;
    designation: string;
    rollers: number | null;
    orders: { bpfo: number; bpfi: number; bsf: number; ftf: number } | null;
    origin: Origin;
  }[];
  gears: { stage: string; pinion: number | null; wheel: number | null; origin: Origin }[];
  limits: {
    tag: string;
    kind: string;
    value: number;
    unit: string;
    priority: number;
    modes: string[];
    basis: string;
    origin: Origin;
  }[];
  sensors: { tag: string; mounting: string; direction: string; calibrated: string }[];
  spares: { part: string; number: string; stock: number | null; lead_days: number | null; place: string }[];
  drawings: { title: string; number: string; link: string }[];
}

export interface Last {
  t: string;
  v: number | null;
  q: string;
  text?: string;
}

/** Waveform is one burst of a tag: values at equal distances. */
export interface Waveform {
  tag: string;
  unit: string;
  t: string;
  /** values a second; 0 unknown */
  rate: number | null;
  q: string;
  values: (number | null)[];
}

export type TagKind = "analog" | "setpoint" | "discrete" | "text" | "waveform";

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
  rejected: string[];
  overflows: number;
  received: number;
  link: PLCLink;
  stale: number;
  stale_tags: string[];
  quarantine: QuarantinedTag[];
  quarantined: number;
  revised: RevisedTag[];
  revised_count: number;
  overflowing: { tag: string; count: number }[];
  deadbands: { server: number; edge: number; none: number; thinned: number };
  conditions: number;
  servers: PLCServer[];
  certificates: Certificate[];
  clock: string | null;
  exception: string | null;
  exception_over: boolean;
}

export interface PLCLink {
  connects: number;
  last_error: string | null;
  last_error_at: string | null;
  rtt_ms: number;
  publishing_ms: number;
  keep_alive_ms: number;
  no_pulse: string | null;
  in_flight: number;
  window: number;
  sequence_gaps: number;
  republished: number;
  holes: number;
  backfilled: number;
}

export interface PLCServer {
  url: string;
  service_level: number | null;
  state: string;
  reason: string | null;
  active: boolean;
}

export interface QuarantinedTag {
  tag: string;
  since: string | null;
  was: string;
  is: string;
  what: string[];
}

export interface RevisedTag {
  tag: string;
  sampling_ms: number;
  granted_sampling_ms: number;
  queue: number;
  granted_queue: number;
  deadband: string | null;
}

export interface Certificate {
  who: string;
  subject: string;
  fingerprint: string;
  ends: string | null;
  days: number;
  state: string;
  reason: string | null;
}

/** Order is what an engineer has decided about a PLC. */
export interface Order {
  number: number;
  at: string;
  who: string;
  reason: string;
  edge: string;
  plc: string;
  trust: string | null;
  tag: string | null;
  as: string | null;
  state: string;
  why: string | null;
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
  unread: number;
  unread_dropped: number;
  version: string;
  plcs: PLC[] | null;
  models?: ModelStatus[] | null;
  /** it carries out what is decided here */
  orders: boolean;
  /** null: it keeps no checkpoint at the plant */
  box?: EdgeBox | null;
  /** what it has sent, held against what is stored; null until it has said so */
  ledger?: EdgeLedger | null;
  /** what waits on its disk; null: it does not tell */
  queue?: Backlog | null;
  /** its connection to the plant; null: it does not tell */
  broker?: EdgeBroker | null;
}

export interface EdgeBroker {
  url: string;
  since: string | null;
  certificates: Certificate[];
}

export interface Backlog {
  classes: {
    name: string;
    bytes: number;
    oldest: string | null;
    fill: number;
    hours: number | null;
    state: string;
  }[];
  full: boolean;
  salvage: boolean;
  lost: number;
  written: number;
  syncs: number;
  day_bytes: number | null;
}

/** The machine that is an edge, and those that could take its place. */
export interface EdgeBox {
  box: string | null;
  number: number;
  saved: string | null;
  size: number;
  /** no checkpoint has come for hours */
  old: boolean;
  ready: string[];
  retired: { box: string; at: string | null; by: string }[];
}

export interface EdgeLedger {
  at: string | null;
  since: string | null;
  /** about how long the backlog takes; null: not known, or it grows */
  done_in_s: number | null;
  classes: LedgerClass[];
  loss: Loss | null;
  notes: { at: string | null; who: string; text: string; loss: Loss }[];
}

export interface LedgerClass {
  name: string;
  sent: number;
  stored: number;
  declared: number;
  under_way: number;
  lost: number;
  explained: number;
}

export interface Loss {
  reason: string;
  from: string | null;
  to: string | null;
  records: number;
  numbers: string | null;
  epoch: number;
  values: Record<string, number>;
}

export interface ModelStatus {
  asset: string;
  running: string;
  shadow?: string | null;
  fallback?: string | null;
  refused?: string | null;
  since: string | null;
}

export interface Bundle {
  id: string;
  version: number;
  kind: string;
  asset: string;
  class: string;
  tags: string[];
  modes: string[];
  window: number;
  from: string | null;
  to: string | null;
  rows: number;
  author: string;
  created: string | null;
  size: number;
  budget: number;
  metrics: Record<string, number | null> | null;
}

export interface Comparison {
  from: string | null;
  to: string | null;
  both: number;
  only_active: number;
  only_shadow: number;
  per_week: number;
}

export interface AssetModels {
  asset: string;
  name: string;
  edge: string;
  wanted: string;
  shadow: string | null;
  previous: string | null;
  status: ModelStatus | null;
  drift: { psi: number; rows: number; state: string } | null;
  compare: Comparison | null;
}

export interface RolloutEntry {
  at: string;
  who: string;
  action: string;
  bundle: string;
  assets: string[] | null;
  reason: string;
}

export interface Rollout {
  ready: boolean;
  assets: AssetModels[];
  bundles: Bundle[];
  history: RolloutEntry[];
}

export interface Contact {
  channel: string;
  address: string;
}

export interface Quiet {
  from: string;
  to: string;
  zone: string;
  passes: number;
}

export interface Person {
  id: string;
  name: string;
  language: string;
  user?: string;
  contacts: Contact[];
  quiet?: Quiet;
}

export interface Rotation {
  people: string[];
  start: string;
  hours: number;
  days?: string[];
  from?: string;
  to?: string;
}

export interface Override {
  person: string;
  from: string;
  to: string;
  note?: string;
}

export interface Team {
  id: string;
  name: string;
  zone: string;
  rotations: Rotation[];
  overrides?: Override[];
}

export interface Step {
  wait_s: number;
  teams?: string[];
  people?: string[];
  channels?: string[];
}

export interface AlertRoute {
  id: string;
  area?: string;
  classes?: AlarmClass[];
  priority?: number;
  mute?: boolean;
  steps: Step[];
  repeat?: number;
}

export interface Roster {
  revision: number;
  saved?: string | null;
  saved_by?: string | null;
  note?: string | null;
  people: Person[];
  teams: Team[];
  routes: AlertRoute[];
}

export interface OnCall {
  team: string;
  name: string;
  people: { id: string; name: string }[];
  override: boolean;
  until: string | null;
}

export interface Channel {
  name: string;
  target: string;
  state: string;
  since: string | null;
  sent: number;
  failed: number;
  dead: number;
  pending: number;
  last_sent: string | null;
  error: string | null;
  heartbeat: boolean;
}

export interface Message {
  id: number;
  alarm: number | null;
  alarms: number[] | null;
  purpose: string;
  step: number;
  person: string;
  person_name: string;
  channel: string;
  address: string;
  language: string;
  priority: number;
  state: string;
  reason: string | null;
  created: string;
  due: string | null;
  sent: string | null;
  tries: number;
  error: string | null;
  subject: string;
  text: string;
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
