// All browser scripts, one after the other.
//   BASE_URL=http://127.0.0.1:8080 [SERVER_PID=…] node e2e/all.mjs [NAME...]

import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const names = process.argv.slice(2);
const scripts = names.length > 0 ? names : ["render", "axe", "texts", "keyboard", "steady", "grey", "stale"];
let failed = false;
for (const s of scripts) {
  const done = spawnSync(process.execPath, [fileURLToPath(new URL(`./${s}.mjs`, import.meta.url))], { stdio: "inherit" });
  if (done.status !== 0) failed = true;
}
process.exitCode = failed ? 1 : 0;
