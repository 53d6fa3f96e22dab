// A server of one folder's files, and a browser to look at them.

import fs from "node:fs";
import http from "node:http";
import path from "node:path";
import { pathToFileURL } from "node:url";

const TYPES = {
  ".html": "text/html", ".js": "text/javascript", ".mjs": "text/javascript",
  ".css": "text/css", ".svg": "image/svg+xml", ".json": "application/json",
  ".wasm": "application/wasm",
};

/** Returns the server, and its address with a slash behind it. */
export async function serve(folder) {
  const server = http.createServer((request, response) => {
    const { pathname } = new URL(request.url, "http://localhost");
    const name = pathname === "/" ? "/index.html" : pathname;
    const place = path.join(folder, path.normalize(name));
    if (!fs.existsSync(place)) return response.writeHead(404).end();
    const type = TYPES[path.extname(place)] ?? "application/octet-stream";
    response.writeHead(200, { "Content-Type": type });
    return fs.createReadStream(place).pipe(response);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { server, address: `http://127.0.0.1:${server.address().port}/` };
}

/** Returns a Chromium, driven by the package playwright-core in a folder. */
export async function launch(playwright, executablePath) {
  const index = pathToFileURL(path.join(playwright, "index.js"));
  const { chromium } = (await import(index)).default;
  return chromium.launch({ executablePath, args: ["--no-sandbox"] });
}
