// How the engine and its weights come to a figure: in the built book, or under a kernel.

/** The worker, made from text, for a page that is opened as a file may load none. */
function startWorker(hear) {
  const served = `${ENGINE}\nconst act = serve((message) => postMessage(message));\nonmessage = ({ data }) => act(data);`;
  const address = URL.createObjectURL(new Blob([served], { type: "text/javascript" }));
  const worker = new Worker(address);
  worker.onmessage = ({ data }) => hear(data);
  worker.onerror = (event) => hear({ kind: "broken", text: event.message || "the worker did not start" });
  return worker;
}

/** The weights, a list of Uint8Array: from the kernel, or from the scripts that `data.scripts` names. */
function loadBytes(model) {
  return model.send ? fromKernel(model) : Promise.all(model.get("data").scripts.map(fromScript));
}

function fromKernel(model) {
  return new Promise((done, failed) => {
    model.on("msg:custom", (message, buffers) => message === "weights"
      && done(buffers.map((sent) => new Uint8Array(sent.buffer, sent.byteOffset, sent.byteLength))));
    model.send("weights");
    setTimeout(() => failed(new Error("no kernel answers; run its cell again")), 30000);
  });
}

/** What the script `src` puts into `window.minirmBytes[name]`, as bytes; a page loads it once. */
async function fromScript([name, src]) {
  if (!window.minirmBytes?.[name]) await new Promise((done, failed) => {
    const fail = () => failed(new Error(`${src} did not load`));
    document.head.append(html("script", { src, load: done, error: fail }));
  });
  return Uint8Array.from(atob(window.minirmBytes[name]), (c) => c.charCodeAt(0));
}
