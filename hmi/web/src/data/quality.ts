// OPC UA status codes of values (OPC 10000-4, 7.39).

/** What the server sends for a value whose source is away. */
export const STALE = 0x408f0000;

export type Severity = "good" | "uncertain" | "bad" | "stale" | "none";

export function severityOf(status: number): Severity {
  if ((status & 0xffff0000) >>> 0 === STALE) return "stale";
  const s = status >>> 30;
  return s === 0 ? "good" : s === 1 ? "uncertain" : "bad";
}

/** severityOfName reads the severity from the name that the HTTP API writes. */
export function severityOfName(name: string): Severity {
  if (name === "UncertainNoCommunicationLastUsableValue") return "stale";
  if (name.startsWith("Good")) return "good";
  if (name.startsWith("Uncertain")) return "uncertain";
  if (name.startsWith("0x")) return severityOf(Number.parseInt(name, 16) >>> 0);
  return "bad";
}

const names = new Map<number, string>([
  [0, "Good"],
  [0x40000000, "Uncertain"],
  [STALE, "UncertainNoCommunicationLastUsableValue"],
  [0x40900000, "UncertainLastUsableValue"],
  [0x40930000, "UncertainSensorNotAccurate"],
  [0x40940000, "UncertainEngineeringUnitsExceeded"],
  [0x40950000, "UncertainSubNormal"],
  [0x80000000, "Bad"],
  [0x80050000, "BadCommunicationError"],
  [0x80310000, "BadNoCommunication"],
  [0x80320000, "BadWaitingForInitialData"],
  [0x80330000, "BadNodeIdInvalid"],
  [0x80340000, "BadNodeIdUnknown"],
  [0x803c0000, "BadOutOfRange"],
  [0x808a0000, "BadNotConnected"],
  [0x808b0000, "BadDeviceFailure"],
  [0x808c0000, "BadSensorFailure"],
  [0x808d0000, "BadOutOfService"],
  [0x809b0000, "BadNoData"],
]);

/** statusName is the OPC UA name of a code without its info bits. */
export function statusName(status: number): string {
  const code = (status & 0xffff0000) >>> 0;
  return names.get(code) ?? `0x${(status >>> 0).toString(16).toUpperCase().padStart(8, "0")}`;
}
