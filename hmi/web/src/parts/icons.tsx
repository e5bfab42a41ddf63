import type { JSX } from "preact";

const paths = {
  plant: "M3 20V9l5 3V9l5 3V4h5l1 16zM7 16h2M12 16h2",
  alarms: "M6 16V11a6 6 0 0 1 12 0v5l2 2H4zM10 21h4",
  edges: "M5 4h14v6H5zM5 14h14v6H5zM9 7h.01M9 17h.01M13 7h3M13 17h3",
  back: "M15 5l-7 7 7 7",
  forward: "M9 5l7 7-7 7",
  close: "M6 6l12 12M18 6L6 18",
  add: "M12 5v14M5 12h14",
  up: "M6 14l6-6 6 6",
  down: "M6 10l6 6 6-6",
  undo: "M9 5L4 10l5 5M4 10h10a5 5 0 0 1 0 10h-3",
  oncall: "M5 4h4l2 5-2.5 1.5a11 11 0 0 0 5 5L15 13l5 2v4a1.5 1.5 0 0 1-1.6 1.5A15.5 15.5 0 0 1 3.5 5.6 1.5 1.5 0 0 1 5 4",
  models: "M4 17c3 0 3-9 6-9s3 6 5 6 2-4 5-4M4 20.5h16",
  save: "M12 4v11M7.5 10.5L12 15l4.5-4.5M5 19.5h14",
  check: "M5 12.5l4.5 4.5L19 7.5",
  table: "M4 5h16v14H4zM4 10h16M4 14.5h16M10 5v14",
  grow: "M9 4H4v5M15 20h5v-5M4 4l6.5 6.5M20 20l-6.5-6.5",
  shrink: "M10 5v5H5M14 19v-5h5M10 10L4 4M14 14l6 6",
  search: "M11 5a6 6 0 1 0 0 12 6 6 0 0 0 0-12M15.5 15.5L20 20",
  auto: "M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16",
  light:
    "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8M12 2.5v2M12 19.5v2M2.5 12h2M19.5 12h2M5.3 5.3l1.4 1.4M17.3 17.3l1.4 1.4M5.3 18.7l1.4-1.4M17.3 6.7l1.4-1.4",
  dark: "M19.5 14.5A8 8 0 0 1 9.5 4.5a8 8 0 1 0 10 10z",
  leave: "M14 4H5v16h9M10 12h10M16.5 8.5L20 12l-3.5 3.5",
  note: "M5 4h14v11l-5 5H5zM14 20v-5h5",
} as const;

export type IconName = keyof typeof paths;

/** Icon is decoration: the text beside it or the button's label says it. */
export function Icon(props: { name: IconName; mirrored?: boolean }): JSX.Element {
  return (
    <svg class={props.mirrored ? "icon mirrored" : "icon"} viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d={paths[props.name]} fill="none" />
      {props.name === "auto" && <path d="M12 4a8 8 0 0 1 0 16z" fill="currentColor" />}
    </svg>
  );
}
