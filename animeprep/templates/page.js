// Pictures become buttons that enlarge them; each group is one stop of the Tab key, and the arrow
// keys go from picture to picture, in the group and enlarged.
const dialog = document.createElement("dialog");
const shown = document.createElement("div");
const line = document.createElement("p");
const caption = document.createElement("span");
const close = document.createElement("button");
close.textContent = "Close";
close.onclick = () => dialog.close();
line.append(caption, close);
dialog.append(shown, line);
document.body.append(dialog);
let current = null;

function enlarge(button) {
  const picture = button.querySelector("img");
  const copy = document.createElement("div");
  copy.className = "shot";
  copy.style.setProperty("--ratio", picture.naturalWidth / picture.naturalHeight);
  copy.style.setProperty("--pixels", picture.naturalWidth);
  copy.append(...[...button.children].map((child) => child.cloneNode(true)));
  shown.replaceChildren(copy);
  caption.textContent = picture.alt;
  current = button;
  if (!dialog.open) dialog.showModal();
}

function neighbour(button, key) {
  const group = [...button.closest(".figures, .row").querySelectorAll("button.shot")];
  const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[key];
  return step && group[group.indexOf(button) + step];
}

for (const group of document.querySelectorAll(".figures, .row")) {
  group.querySelectorAll(".shot").forEach((shot, position) => {
    const button = document.createElement("button");
    button.className = "shot";
    button.type = "button";
    button.tabIndex = position ? -1 : 0;
    button.append(...shot.childNodes);
    shot.replaceWith(button);
    button.onclick = () => enlarge(button);
    button.onkeydown = (event) => {
      const next = neighbour(button, event.key);
      if (!next) return;
      event.preventDefault();
      button.tabIndex = -1;
      next.tabIndex = 0;
      next.focus();
    };
  });
}
dialog.onkeydown = (event) => {
  const next = current && neighbour(current, event.key);
  if (next) enlarge(next);
};
dialog.onclick = (event) => { if (event.target === dialog) dialog.close(); };
dialog.onclose = () => { current.tabIndex = 0; current.focus(); };
