// Clients that mean no good, against the running example: node tests/page/abuse.cjs PORT PROCESS
//
// While each kind is at it, probes have to be answered and the memory of the daemon stays bounded. What
// each one is answered is a test of the library; here it is the number of them.

"use strict";
const assert = require("node:assert");
const fs = require("node:fs");
const http = require("node:http");
const net = require("node:net");

const [port, daemon] = process.argv.slice(2).map(Number);
const PATIENCE = 5_000;
const sleep = time => new Promise(resolve => setTimeout(resolve, time));
const resident = () => Number(/VmRSS:\s+(\d+)/.exec(fs.readFileSync(`/proc/${daemon}/status`, "utf8"))[1]);
const descriptors = () => fs.readdirSync(`/proc/${daemon}/fd`).length;

function probe() {
  const began = process.hrtime.bigint();
  return new Promise((resolve, reject) => {
    const request = http.get({ port, host: "127.0.0.1", path: "/readyz", agent: false, timeout: PATIENCE }, answer => {
      answer.resume();
      answer.on("end", () => answer.statusCode === 200 ? resolve(Number(process.hrtime.bigint() - began) / 1e6) : reject(new Error(`status ${answer.statusCode}`)));
    });
    request.on("timeout", () => request.destroy(new Error("no answer")));
    request.on("error", reject);
  });
}
function open(send) {
  const socket = net.connect(port, "127.0.0.1");
  socket.on("error", () => {});
  if (send) socket.on("connect", () => send(socket));
  return socket;
}
const line = "Host: localhost\r\n";

const kinds = {
  "slow headers": () => Array.from({ length: 200 }, () => open(socket => {
    socket.write("GET /livez HTTP/1.1\r\n");
    const drip = setInterval(() => socket.destroyed ? clearInterval(drip) : socket.write("X"), 200);
  })),
  "slow bodies": () => Array.from({ length: 200 }, () => open(socket => socket.write(`POST /livez HTTP/1.1\r\n${line}Content-Length: 60000\r\n\r\nx`))),
  "10 000 idle connections": () => Array.from({ length: 10_000 }, () => open()),
  "huge headers": () => Array.from({ length: 100 }, () => open(socket => socket.write(`GET /livez HTTP/1.1\r\n${line}X: ${"x".repeat(1 << 20)}\r\n\r\n`))),
  "many headers": () => Array.from({ length: 100 }, () => open(socket => socket.write(`GET /livez HTTP/1.1\r\n${line}${"A: b\r\n".repeat(1000)}\r\n`))),
  "bad methods": () => Array.from({ length: 200 }, (_, number) => open(socket => socket.write(`${["BREW", "DELETE", "\0\0", "GET/"][number % 4]} /livez HTTP/1.1\r\n${line}\r\n`))),
  "foreign hosts and origins": () => Array.from({ length: 200 }, (_, number) => open(socket => socket.write(`GET /tree HTTP/1.1\r\n${number % 2 ? "Host: evil.example\r\n" : line + "Origin: http://evil.example\r\n"}\r\n`))),
  "paths that lead out": () => Array.from({ length: 200 }, () => open(socket => socket.write(`GET /tree/../../../../etc/passwd HTTP/1.1\r\n${line}\r\n`))),
  "streams that nobody reads": () => Array.from({ length: 200 }, () => open(socket => { socket.pause(); socket.write(`GET /events HTTP/1.1\r\n${line}\r\n`); })),
  "trees that nobody reads": () => Array.from({ length: 200 }, () => open(socket => { socket.pause(); socket.write(`GET /tree HTTP/1.1\r\n${line}\r\n`); })),
};

(async () => {
  const memory = resident();
  for (const [name, begin] of Object.entries(kinds)) {
    const sockets = begin();
    let slowest = 0;
    for (const until = Date.now() + 3_000; Date.now() < until; await sleep(20)) slowest = Math.max(slowest, await probe());
    console.log(`ok ${name}: slowest of the probes ${slowest.toFixed(1)} ms, resident ${resident()} KiB, descriptors ${descriptors()}`);
    assert(descriptors() < 256, "descriptors are bounded");
    assert(resident() < memory + 64 * 1024, "memory is bounded");
    sockets.forEach(socket => socket.destroy());
  }
  process.exit(0);
})().catch(error => { console.log(`FAILED ${error.stack}`); process.exit(1); });
