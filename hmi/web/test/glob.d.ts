interface ImportMeta {
  /** Vite reads these files as text when the tests are built. */
  glob(pattern: string, options: { query: "?raw"; import: "default"; eager: true }): Record<string, string>;
}
