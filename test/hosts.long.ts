// Many hosts, each unlike the others in a dozen ways: every profile gives the same bytes on all of them.

import { afterAll, beforeAll, describe, test } from "vitest";
import { requireFreshBuild } from "./cli-run.ts";
import { profiles, SameSource } from "./hosts/hosts.ts";
import { runSeed } from "./judge/ext.ts";

const seed = runSeed();
const sources = new SameSource();
beforeAll(async () => {
  requireFreshBuild();
  await sources.archives();
});
afterAll(() => sources.remove());

describe("the same bytes on 40 hosts", () => {
  test.each(profiles)("$profile", async (profile) => {
    await sources.checkHosts(profile, 40, seed);
  });
});
