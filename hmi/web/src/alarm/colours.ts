import { colour } from "../theme.ts";

/** alarmColour is the colour of a priority, for canvases of alarm components. */
export function alarmColour(priority: number): string {
  return colour(`--alarm-${Math.min(4, Math.max(1, priority))}`);
}
