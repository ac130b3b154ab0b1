// The faults that the server commits on request, in a build with the feature `faults`; src/fault.rs says what each
// does.

/** The header fields that ask for a fault. */
export const fault = (name) => ({ "tailrace-fault": name });

/** Faults that end a request at once, and the code of its answer. */
export const FAULTS = [
  ["panic-edge", "instance_lost"],
  ["lost-instance-edge", "instance_lost"],
  ["panic-object", "instance_lost"],
  ["panic-in-transaction", "instance_lost"],
  ["lost-instance", "instance_lost"],
  ["throw-in-binding", "storage_failed"],
];
