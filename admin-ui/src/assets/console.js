// The console works without this file. With it, a key can be made in the browser, and text to take
// away gets a Copy button. Nothing here may run from markup: the page's policy forbids inline script.
"use strict";

// DER (X.690): just enough to write a certification request (RFC 2986).

function der(tag, ...parts) {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const header = [tag];
  if (length < 0x80) header.push(length);
  else if (length < 0x100) header.push(0x81, length);
  else header.push(0x82, length >> 8, length & 0xff);
  const out = new Uint8Array(header.length + length);
  out.set(header);
  let at = header.length;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

const SEQUENCE = 0x30;
const INTEGER = 0x02;
const BIT_STRING = 0x03;
const ATTRIBUTES = 0xa0;
const ECDSA_WITH_SHA256 = [0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02]; // RFC 5758 §3.2

// A DER integer is signed and as short as can be: no leading zeros, but one before a high bit.
function integer(bytes) {
  let start = 0;
  while (start < bytes.length - 1 && bytes[start] === 0) start += 1;
  const digits = bytes.slice(start);
  return digits[0] & 0x80 ? der(INTEGER, [0], digits) : der(INTEGER, digits);
}

// WebCrypto signs as r and s side by side; a request wants them as a sequence (RFC 3279 §2.2.3).
function signatureValue(raw) {
  const half = raw.length / 2;
  return der(SEQUENCE, integer(raw.slice(0, half)), integer(raw.slice(half)));
}

function pem(label, bytes) {
  const text = btoa(String.fromCharCode(...bytes));
  return `-----BEGIN ${label}-----\n${text.match(/.{1,64}/g).join("\n")}\n-----END ${label}-----\n`;
}

// A P-256 key and a request for it. The subject stays empty: names come from the directory, and a
// request that asks for none cannot ask for the wrong one.
async function makeRequest() {
  const ecdsa = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
  const pair = await crypto.subtle.generateKey(ecdsa, true, ["sign", "verify"]);
  const spki = new Uint8Array(await crypto.subtle.exportKey("spki", pair.publicKey));
  const info = der(SEQUENCE, der(INTEGER, [0]), der(SEQUENCE), spki, der(ATTRIBUTES));
  const raw = new Uint8Array(await crypto.subtle.sign(ecdsa, pair.privateKey, info));
  const signature = der(BIT_STRING, [0], signatureValue(raw));
  const request = der(SEQUENCE, info, der(SEQUENCE, ECDSA_WITH_SHA256), signature);
  const key = new Uint8Array(await crypto.subtle.exportKey("pkcs8", pair.privateKey));
  return { csr: pem("CERTIFICATE REQUEST", request), key: pem("PRIVATE KEY", key) };
}

// Sends the form as the browser would, but keeps this page, and with it the key, alive.
async function send(form) {
  const answer = await fetch(form.action, {
    method: "POST",
    body: new URLSearchParams(new FormData(form)),
    credentials: "same-origin",
  });
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const main = page.querySelector("main");
  if (!main) throw new Error(`The console answered ${answer.status} without a page.`);
  return { main: document.importNode(main, true), title: page.title };
}

function show({ main, title }) {
  document.querySelector("main").replaceWith(main);
  document.title = title;
  addCopyButtons(main);
  const heading = main.querySelector("h1");
  if (heading) {
    heading.tabIndex = -1;
    heading.focus();
  }
  window.scrollTo(0, 0);
}

function offerKey(slot, account, key) {
  const warn = (event) => event.preventDefault();
  window.addEventListener("beforeunload", warn);
  const offer = (link, name, text) => {
    if (!link) return;
    link.href = URL.createObjectURL(new Blob([text], { type: "application/x-pem-file" }));
    link.download = name;
    link.addEventListener("click", () => window.removeEventListener("beforeunload", warn));
  };
  offer(slot.querySelector("[data-key-file]"), `${account}.key.pem`, key);
  const chain = document.querySelector("[data-chain-file]");
  if (chain) offer(slot.querySelector("[data-bundle-file]"), `${account}.pem`, key + atob(chain.href.split(",")[1]));
  slot.hidden = false;
}

function enrolInBrowser(form) {
  const progress = form.querySelector("[data-progress]");
  const button = form.querySelector("button");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    progress.textContent = "Making the key and asking for the certificate…";
    try {
      const { csr, key } = await makeRequest();
      form.elements.csr.value = csr;
      const answer = await send(form);
      show(answer);
      const slot = answer.main.querySelector("[data-key-slot]");
      if (slot) offerKey(slot, form.dataset.browserKey, key);
    } catch (trouble) {
      progress.textContent = `That did not work: ${trouble.message} Try again, or choose another way.`;
      button.disabled = false;
    }
  });
  form.hidden = false;
  for (const note of document.querySelectorAll("[data-without-script]")) note.hidden = true;
}

function addCopyButtons(within) {
  if (!navigator.clipboard) return;
  for (const text of within.querySelectorAll("[data-copy]")) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copy";
    button.textContent = "Copy";
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(text.textContent);
        button.textContent = "Copied";
      } catch {
        getSelection().selectAllChildren(text);
        button.textContent = "Selected";
      }
    });
    text.after(button);
  }
}

if (globalThis.crypto?.subtle) {
  for (const form of document.querySelectorAll("form[data-browser-key]")) enrolInBrowser(form);
}
addCopyButtons(document);
