import { expect, test } from "vitest";
import { FOLLOWING, type Follow, type FollowEvent, follow } from "./follow";

const play = (...events: FollowEvent[]): Follow => events.reduce(follow, FOLLOWING);

test("scrolling up pauses, and what comes meanwhile is counted", () => {
  const state = play({ type: "towardsHead" }, { type: "appended", lines: 3 }, { type: "appended", lines: 4 });
  expect(state).toMatchObject({ following: false, missed: 7 });
});

test("a scroll event of our own, after the wheel, does not follow again", () => {
  const state = play({ type: "towardsHead" }, { type: "scrolled", atEnd: true, now: 10 });
  expect(state.following).toBe(false);
});

test("scrolling down to the end follows again", () => {
  const down = play({ type: "towardsHead" }, { type: "towardsTail", now: 1_000 });
  expect(down.following).toBe(false);
  expect(follow(down, { type: "scrolled", atEnd: false, now: 1_100 }).following).toBe(false);
  expect(follow(down, { type: "scrolled", atEnd: true, now: 1_200 })).toEqual(FOLLOWING);
});

test("being carried to the end long after the last movement does not follow", () => {
  const state = play(
    { type: "towardsHead" },
    { type: "towardsTail", now: 0 },
    { type: "scrolled", atEnd: true, now: 5_000 },
  );
  expect(state.following).toBe(false);
});

test("the button and the End key follow at once", () => {
  expect(play({ type: "towardsHead" }, { type: "appended", lines: 9 }, { type: "resume" })).toEqual(
    FOLLOWING,
  );
});

test("while following nothing is missed", () => {
  expect(play({ type: "appended", lines: 100 })).toEqual(FOLLOWING);
});
