// The live board: keeps the page up to date from the live stream.
export {};
