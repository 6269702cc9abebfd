// Browsers start no worker for a page that is opened as a file, so the search would be silent there.
// An invisible frame does the worker's work instead; on a server nothing of this happens.
if (location.protocol === "file:") {
  // As a worker's, an answer never comes before its question has been put in full.
  const later = (target, data) => setTimeout(() => target.dispatchEvent(new MessageEvent("message", { data })))
  window.IFrameWorker = window.Worker = class extends EventTarget {
    constructor(url) {
      super()
      this.waiting = []
      this.frame = document.createElement("iframe")
      this.frame.hidden = true
      const begin = () => {
        document.body.appendChild(this.frame)
        const inside = this.frame.contentWindow
        inside.document.open()
        inside.document.write("<!doctype html><html><body></body></html>")
        inside.document.close()
        inside.postMessage = (data) => later(this, data)
        const script = inside.document.createElement("script")
        script.src = new URL(url, location.href)
        script.onload = () => {
          this.ready = true
          this.waiting.splice(0).forEach((data) => this.postMessage(data))
        }
        inside.document.body.appendChild(script)
      }
      if (document.body) begin()
      else document.addEventListener("DOMContentLoaded", begin)
    }
    postMessage(data) {
      if (!this.ready) return void this.waiting.push(data)
      later(this.frame.contentWindow, data)
    }
    terminate() {
      this.frame.remove()
    }
  }
}
