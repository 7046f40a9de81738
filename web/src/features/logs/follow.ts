/**
 * Whether the log follows its tail. Scroll events of our own arrive after the person's wheel, so
 * being at the end is no reason to follow again: only the person's own movement towards it is.
 */
export interface Follow {
  following: boolean;
  /** Lines that came while paused. */
  missed: number;
  /** Until when (ms) scroll events are taken for the person's. */
  intentUntil: number;
}

export type FollowEvent =
  | { type: "towardsHead" }
  | { type: "towardsTail"; now: number }
  | { type: "scrolled"; atEnd: boolean; now: number }
  | { type: "appended"; lines: number }
  | { type: "resume" };

export const FOLLOWING: Follow = { following: true, missed: 0, intentUntil: 0 };
/** A wheel's or a key's scrolling goes on for a while after the event. */
const INTENT_MS = 600;

export function follow(state: Follow, event: FollowEvent): Follow {
  switch (event.type) {
    case "towardsHead":
      return state.following ? { following: false, missed: 0, intentUntil: 0 } : { ...state, intentUntil: 0 };
    case "towardsTail":
      return state.following ? state : { ...state, intentUntil: event.now + INTENT_MS };
    case "scrolled":
      return !state.following && event.atEnd && event.now <= state.intentUntil ? FOLLOWING : state;
    case "appended":
      return state.following || event.lines <= 0 ? state : { ...state, missed: state.missed + event.lines };
    case "resume":
      return FOLLOWING;
  }
}
