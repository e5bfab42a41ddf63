import { signal } from "@preact/signals";
import { get } from "./http.ts";
import type { Me } from "./types.ts";

export const me = signal<Me | null>(null);

export async function startMe(): Promise<void> {
  try {
    me.value = await get<Me>("me");
  } catch {
    setTimeout(startMe, 3000);
  }
}

/** may says whether the person at the page may do something; the server decides again. */
export function may(what: string): boolean {
  return me.value?.can.includes(what) ?? false;
}
