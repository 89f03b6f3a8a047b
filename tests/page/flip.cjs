// How long it takes from an event in the tree until /readyz says so: node tests/page/flip.cjs PORT
//
// The example hears its commands on descriptor 9, which its starter has left open. When the run of `crash`
// ended is read from its past; the first answer that is not 200 has to have come soon after.

"use strict";
const fs = require("node:fs");
const http = require("node:http");

const port = Number(process.argv[2]);
const TIMES = 15;

function get(path) {
  return new Promise((resolve, reject) => {
    http.get({ port, host: "127.0.0.1", path, agent: false }, answer => {
      const came = Date.now();
      let body = "";
      answer.on("data", part => { body += part; });
      answer.on("end", () => resolve({ came, status: answer.statusCode, body }));
    }).on("error", reject);
  });
}
async function until(status) { for (;;) { const answer = await get("/readyz"); if (answer.status === status) return answer; } }

(async () => {
  const took = [];
  for (let time = 0; time < TIMES; time++) {
    await until(200);
    fs.writeSync(9, "crash\n");
    const { came } = await until(503);
    const node = JSON.parse((await get("/tree/observed/crash")).body);
    took.push(came - node.history[0].ended_at_seconds * 1000);
  }
  took.sort((a, b) => a - b);
  const at = share => took[Math.min(TIMES - 1, Math.floor(share * TIMES))].toFixed(1);
  console.log(`from the end of a run to /readyz: p50 ${at(0.5)} ms, p95 ${at(0.95)} ms, largest ${at(1)} ms, of ${TIMES}`);
})().catch(error => { console.log(`FAILED ${error.stack}`); process.exit(1); });
