// Run in a page: lists what a person with weak eyes, a small screen or big fingers would stumble over.
const found = [];
const channel = (value) => (value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
const known = new Map();
function rgba(colour) {
  if (!known.has(colour)) {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    known.set(colour, canvas.getImageData(0, 0, 1, 1).data);
  }
  return known.get(colour);
}
const luminance = ([r, g, b]) => 0.2126 * channel(r / 255) + 0.7152 * channel(g / 255) + 0.0722 * channel(b / 255);
function ground(element) {
  for (let at = element; at; at = at.parentElement) {
    const colour = rgba(getComputedStyle(at).backgroundColor);
    if (colour[3] === 255) return colour;
  }
  return [255, 255, 255, 255];
}
function contrast(element) {
  const [a, b] = [luminance(rgba(getComputedStyle(element).color)), luminance(ground(element))].sort((x, y) => y - x);
  return (a + 0.05) / (b + 0.05);
}
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const element = walker.currentNode.parentElement;
  if (!walker.currentNode.data.trim() || !element.checkVisibility() || element.closest(".unseen, .skip")) continue;
  if (contrast(element) < 4.5) found.push(`contrast ${contrast(element).toFixed(2)}: ${walker.currentNode.data.trim().slice(0, 30)}`);
}
for (const target of document.querySelectorAll("button, .button, input:not([type=hidden]), select, textarea, summary, nav a")) {
  const box = target.getBoundingClientRect();
  if (target.checkVisibility() && (box.width < 24 || box.height < 24)) found.push(`target ${box.width}×${box.height}: ${target.textContent.trim().slice(0, 30)}`);
}
const page = document.documentElement;
if (page.scrollWidth > page.clientWidth) found.push(`scrolls sideways: ${page.scrollWidth} in ${page.clientWidth}`);
return found;
