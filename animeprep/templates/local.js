"use strict";
const at = id => document.getElementById(id);
const token = document.querySelector("meta[name=token]").content;
// Asks the server; with a body it is told something. Fails with what the server says against it.
async function call(path, body) {
  const answer = await fetch(path, body && {
    method: "POST", body: JSON.stringify(body),
    headers: { "Content-Type": "application/json", "X-Token": token },
  });
  const told = await answer.json();
  if (!answer.ok) throw new Error(told.error);
  return told;
}
