// Nothing: what starting Node with a module costs.

export {};
