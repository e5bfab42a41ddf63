// The pace of the page: what moves on it, values and trends, moves together in one
// frame, and then the page rests for twice as long as that frame took with its layout
// and paint. So a slow phone or a busy machine shows fewer frames a second, and a
// press of the finger finds the page idle two thirds of the time.

const REST = 2;
const LONGEST = 3000; // ms of rest, so that values move on whatever a frame costs
const SMOOTH = 8; // ms of work in one frame; the rest goes into the next

interface Turn {
  every: number;
  due: number;
  act: () => void;
}

export interface Repeated {
  /** soon asks for a turn in the next frame */
  soon: () => void;
  stop: () => void;
}

const turns = new Set<Turn>();
let rested = 0; // the end of the present rest
let timer = 0;
let asked = false; // a frame was asked for, or is not over

/**
 * repeat calls act in a frame about every so many ms until it is stopped. A page that
 * is hidden has no frames.
 */
export function repeat(every: number, act: () => void): Repeated {
  const turn: Turn = { every, due: 0, act };
  turns.add(turn);
  wake();
  return {
    soon: () => {
      turn.due = 0;
      wake();
    },
    stop: () => turns.delete(turn),
  };
}

/** wake asks for a frame when the first turn is due and the page has rested. */
function wake(): void {
  if (asked) return;
  clearTimeout(timer);
  if (turns.size === 0) return;
  const due = Math.min(...[...turns].map((turn) => turn.due));
  const wait = Math.max(due, rested) - performance.now();
  if (wait > 0) timer = setTimeout(ask, wait);
  else ask();
}

function ask(): void {
  asked = true;
  requestAnimationFrame(frame);
}

// A message that is posted in a frame comes when the frame is laid out and painted.
const painted = new MessageChannel();
let begun = 0;

painted.port1.onmessage = () => {
  const at = performance.now();
  rested = at + Math.min(LONGEST, REST * (at - begun));
  asked = false;
  wake();
};

function frame(): void {
  begun = performance.now();
  painted.port2.postMessage(null);
  for (const turn of turns) {
    if (turn.due > begun) continue;
    if (performance.now() - begun > SMOOTH) break;
    turn.due = begun + turn.every;
    // Who has been served goes to the end of the queue.
    turns.delete(turn);
    turns.add(turn);
    turn.act();
  }
}
