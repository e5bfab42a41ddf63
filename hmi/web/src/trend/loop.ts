// One animation loop for all trends of a page: each draws as often as its time
// axis moves by a visible step, and none while the page is hidden.

interface Turn {
  every: number;
  due: number;
  draw: () => void;
}

const turns = new Set<Turn>();
let running = false;

export interface Repeated {
  /** soon asks for a turn in the next frame */
  soon: () => void;
  stop: () => void;
}

/** repeat calls draw about every so many ms until it is stopped. */
export function repeat(every: number, draw: () => void): Repeated {
  const turn: Turn = { every, due: 0, draw };
  turns.add(turn);
  if (!running) {
    running = true;
    requestAnimationFrame(frame);
  }
  return {
    soon: () => {
      turn.due = 0;
    },
    stop: () => turns.delete(turn),
  };
}

function frame(at: number): void {
  if (turns.size === 0) {
    running = false;
    return;
  }
  requestAnimationFrame(frame);
  let spent = 0;
  for (const turn of turns) {
    if (turn.due > at) continue;
    if (spent > 8) break; // the rest in the next frame: keep the page smooth
    const begun = performance.now();
    turn.draw();
    turn.due = at + turn.every;
    // Who has been served goes to the end of the queue.
    turns.delete(turn);
    turns.add(turn);
    spent += performance.now() - begun;
  }
}
