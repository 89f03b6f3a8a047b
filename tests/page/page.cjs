// Claims on the live page, in a real browser against the running example `observed`.
//
// Usage: node tests/page/page.cjs EXAMPLE CHROMIUM [FOLDER FOR PICTURES]
// Needs playwright-core and axe-core where `require` finds them (NODE_PATH).

"use strict";
const assert = require("node:assert");
const { spawn } = require("node:child_process");
const { chromium } = require("playwright-core");
const axe = require("axe-core").source;

const [example, browserPath, pictures] = process.argv.slice(2);
const PORT = 19611;
const URL = `http://127.0.0.1:${PORT}/`;
const PATIENCE = 30_000;

function start() {
  const daemon = spawn(example, ["--set", `http.listen=127.0.0.1:${PORT}`, "--set", "shutdown.graceful=8s"], { stdio: ["pipe", "ignore", "ignore"] });
  daemon.tell = line => daemon.stdin.write(line + "\n");
  daemon.ended = new Promise(resolve => daemon.on("exit", resolve));
  return daemon;
}
async function ready() {
  for (const until = Date.now() + PATIENCE; Date.now() < until; ) {
    try { if ((await fetch(URL + "readyz")).ok) return; } catch (refused) { /* not yet */ }
    await new Promise(resolve => setTimeout(resolve, 50));
  }
  throw new Error("the example is not ready");
}
const claims = [];
const claim = (name, check) => claims.push([name, check]);
let daemon, page, problems = [];

const row = name => page.locator(".row", { has: page.locator(`span[title^="/observed/${name} "]`) });
async function shows(name, text) {
  await page.waitForFunction(([name, text]) => {
    const cell = document.querySelector(`.row span[title^="/observed/${name} "]`);
    return cell && cell.parentElement.textContent.includes(text);
  }, [name, text], { timeout: PATIENCE });
}
async function accessible(when) {
  // By the debugger and not by a tag, which the page's own policy would refuse.
  await page.evaluate(axe);
  const found = await page.evaluate(() => axe.run(document, { resultTypes: ["violations"] }));
  const serious = found.violations.filter(one => ["serious", "critical"].includes(one.impact));
  const said = serious.map(one => `${one.id}: ${one.help}: ${one.nodes.map(node => node.html).join(" ")}`);
  assert.deepStrictEqual(said, [], when);
}
async function picture(name) { if (pictures) await page.screenshot({ path: `${pictures}/${name}.png` }); }

claim("the tree is there, with states and counts", async () => {
  await shows("database", "running");
  for (const name of ["pipeline", "pipeline/store", "crash", "connections"]) await shows(name, "running");
  assert.match(await page.locator("#link").textContent(), /live/);
  assert.match(await page.title(), /observed/);
});
claim("a subsystem that crashes is seen to restart without a reload", async () => {
  await page.evaluate(() => { window.sameDocument = true; });
  daemon.tell("crash");
  await shows("crash", "backing off");
  await page.locator("#feed", { hasText: "it was told to" }).waitFor({ timeout: PATIENCE });
  await shows("crash", "running");
  assert.equal(await row("crash").locator(".number").nth(1).textContent(), "1");
  await row("crash").locator("svg rect").first().waitFor({ state: "attached", timeout: PATIENCE });
  assert.equal(await page.evaluate(() => window.sameDocument), true);
});
claim("a search leaves what has the text in its path", async () => {
  await page.fill("#search", "pipel");
  await page.waitForFunction(() => document.querySelectorAll(".row").length === 4);
  await page.fill("#search", "");
  await page.selectOption("#order", "restarts");
  await page.waitForFunction(() => document.querySelectorAll(".row").length === 1);
  await page.selectOption("#order", "tree");
  await shows("database", "running");
});
claim("a node is opened by mouse and by keyboard, with its past", async () => {
  await row("crash").click();
  await page.locator("#node", { hasText: "it was told to" }).waitFor({ timeout: PATIENCE });
  await page.locator("#tree").focus();
  await page.keyboard.press("Home");
  await page.keyboard.press("ArrowDown");
  await page.locator("#node", { hasText: "/observed/pipeline" }).waitFor({ timeout: PATIENCE });
  assert.equal(await page.locator("#tree").getAttribute("aria-activedescendant"), await row("pipeline").getAttribute("id"));
});
claim("health is shown as it changes", async () => {
  daemon.tell("degrade");
  await shows("database", "degraded");
  daemon.tell("well");
  await shows("database", "running");
});
claim("of what is not in the tree any more nothing is kept", async () => {
  await page.evaluate(() => { marks.set("/observed/gone", [[slot(), 1]]); ages.set("/observed/gone", [[slot(), 1]]); });
  await page.waitForFunction(() => !marks.has("/observed/gone") && !ages.has("/observed/gone"), null, { timeout: PATIENCE });
});
claim("who is stuck is shown as long as it is, and so is the program that needs it", async () => {
  daemon.tell("stick 5");
  await shows("sticky", "stuck");
  await page.locator("#feed", { hasText: "is stuck in message" }).waitFor({ timeout: PATIENCE });
  await page.locator("#ready", { hasText: "not ready" }).waitFor({ timeout: PATIENCE });
  await shows("sticky", "running");
  await page.locator("#ready", { hasText: /^ready/ }).waitFor({ timeout: PATIENCE });
});
claim("no serious finding of accessibility, in light and in dark", async () => {
  daemon.tell("crash"); daemon.tell("degrade"); daemon.tell("melt"); daemon.tell("flood");
  await shows("database", "degraded"); await shows("crash", "backing off");
  await row("crash").click();
  await page.locator("#node", { hasText: "How it ended" }).or(page.locator("#node", { hasText: "how it ended" })).waitFor();
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme });
    await accessible(colorScheme);
    await picture(`page-${colorScheme}`);
  }
  await page.emulateMedia({ colorScheme: "light" });
  daemon.tell("well");
});
claim("10 000 children are scrolled through at once", async () => {
  daemon.tell("spawn 10000");
  await page.waitForFunction(() => Number(document.getElementById("count").textContent) > 10_000, null, { timeout: 2 * PATIENCE });
  const longest = await page.evaluate(async () => {
    const tree = document.getElementById("tree"); let longest = 0;
    for (let step = 0; step <= 50; step++) {
      const began = performance.now();
      tree.scrollTop = step / 50 * tree.scrollHeight;
      await new Promise(requestAnimationFrame); await new Promise(requestAnimationFrame);
      longest = Math.max(longest, performance.now() - began);
    }
    return longest;
  });
  console.log(`  longest step of the scroll: ${Math.round(longest)} ms`);
  assert(await page.locator(".row").count() < 120, "only what is seen is there");
  await page.evaluate(() => { document.getElementById("tree").scrollTop = 0; });
});
claim("a shutdown counts down, and the next run of the daemon is shown without a reload", async () => {
  await page.fill("#search", "/slow");
  await shows("slow", "running");
  daemon.kill("SIGTERM");
  await page.locator("#countdown").waitFor({ state: "visible", timeout: PATIENCE });
  const left = async () => Number(/([\d.]+) s left/.exec(await page.locator("#countdown").textContent())[1]);
  const first = await left();
  await page.waitForFunction(first => Number(/([\d.]+) s left/.exec(document.getElementById("countdown").textContent)[1]) < first, first, { timeout: PATIENCE });
  await shows("slow", "stopping");
  await picture("page-shutdown");
  await daemon.ended;
  await page.locator("#link", { hasText: "not reachable" }).waitFor({ timeout: PATIENCE });
  daemon = start(); await ready();
  await page.locator("#link", { hasText: "live" }).waitFor({ timeout: PATIENCE });
  await page.waitForFunction(() => document.getElementById("countdown").hidden, null, { timeout: PATIENCE });
  await page.fill("#search", "");
  await shows("crash", "running");
  assert.equal(await row("crash").locator(".number").nth(1).textContent(), "0");
  assert.equal(await page.evaluate(() => window.sameDocument), true);
});
claim("an address with nonsense behind its # shows the page all the same", async () => {
  const other = await page.context().browser().newPage();
  await other.goto(URL + "#%");
  await other.locator("#link", { hasText: "live" }).waitFor({ timeout: PATIENCE });
  await other.close();
});
claim("nothing was asked of anybody else, and nothing went wrong", async () => {
  assert.deepStrictEqual(problems, []);
});

(async () => {
  daemon = start(); await ready();
  const browser = await chromium.launch({ executablePath: browserPath, args: ["--no-sandbox"] });
  page = await browser.newPage({ viewport: { width: 1360, height: 860 } });
  page.on("pageerror", error => problems.push(String(error)));
  page.on("request", request => { if (!request.url().startsWith(URL) && !request.url().startsWith("data:")) problems.push(request.url()); });
  page.on("console", message => { if (/Content Security Policy/.test(message.text())) problems.push(message.text()); });
  await page.goto(URL);
  let failed = 0;
  for (const [name, check] of claims) {
    try { await check(); console.log(`ok ${name}`); }
    catch (error) { failed++; console.log(`FAILED ${name}\n${error.stack}`); }
  }
  await browser.close(); daemon.kill("SIGKILL");
  process.exit(failed ? 1 : 0);
})();
