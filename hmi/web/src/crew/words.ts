// Words for what the alert desk says in codes.

import { known, pattern } from "../i18n/text.ts";

/** coded is the text of a code, or the code where a newer server made it. */
export function coded(prefix: string, code: string): string {
  const key = `${prefix}.${code}`;
  return known(key) ? pattern(key) : code;
}

export const channels = ["mail", "sms", "ntfy", "webhook"] as const;
export const languages = ["en", "ur", "ru"] as const;
