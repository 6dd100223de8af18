// One slider goes through the saved steps, and each picture has a line between photo and painting.
// While training goes on, the page loads itself anew when nobody has touched it for a while.
const memory = {
  get(key) { try { return sessionStorage.getItem(key); } catch { return null; } },
  set(key, value) { try { sessionStorage.setItem(key, value); } catch { /* then it is forgotten */ } },
};
const time = document.getElementById("time");
let touched = 0;

if (time) {
  const steps = JSON.parse(document.getElementById("steps").textContent);
  const pairs = [...document.querySelectorAll(".pair")];
  const show = () => {
    document.getElementById("at").textContent = steps[time.value];
    time.setAttribute("aria-valuetext", steps[time.value]);
    for (const pair of pairs) {
      pair.querySelectorAll(".painted").forEach((one, number) => { one.hidden = number !== +time.value; });
    }
  };
  time.parentElement.hidden = false;
  const kept = steps.indexOf(memory.get("step"));
  if (kept >= 0) time.value = kept;
  show();
  time.oninput = () => {
    touched = Date.now();
    // The last one stays the last one when there are more.
    memory.set("step", +time.value === steps.length - 1 ? "" : steps[time.value]);
    show();
  };
  pairs.forEach((pair, number) => {
    const line = pair.querySelector(".line");
    const move = () => pair.style.setProperty("--line", `${line.value}%`);
    line.hidden = false;
    line.value = memory.get(`line ${number}`) ?? 50;
    move();
    line.oninput = () => {
      touched = Date.now();
      memory.set(`line ${number}`, line.value);
      move();
    };
  });
}
if ("running" in document.body.dataset) {
  setInterval(() => {
    if (Date.now() - touched > 30000 && !document.querySelector("dialog[open]")) location.reload();
  }, 30000);
}
