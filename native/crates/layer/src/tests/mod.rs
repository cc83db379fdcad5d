mod archives;
mod features;
mod fuzz;
mod hostile;
mod layers;
mod sparse;
mod streams;
mod trees;
