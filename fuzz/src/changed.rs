//! Runs a target with changed inputs for some time.

use std::time::{Duration, Instant};

use crate::{Limits, Mutator, Target, Used, execute};

/// How long, with what, and within which limits.
#[derive(Clone, Copy, Debug)]
pub struct Order<'i> {
    /// The inputs to change; each also runs as it is.
    pub inputs: &'i [Vec<u8>],
    /// The same changes for the same seed.
    pub seed: u64,
    /// For all of it. The inputs themselves run in any case.
    pub time: Duration,
    /// Of one execution.
    pub limits: Limits,
}

/// What was done.
#[derive(Clone, Copy, Debug, Default)]
pub struct Done {
    /// Inputs that ran.
    pub executions: u64,
    /// The most of one execution.
    pub most: Used,
}

/// An input that a target fails with.
#[derive(Clone, Debug)]
pub struct Finding {
    /// What is wrong.
    pub what: String,
    /// The input.
    pub input: Vec<u8>,
}

impl Target {
    /// Runs all inputs, then changed ones, and tells the number of executions after each.
    ///
    /// # Errors
    /// The first [`Finding`].
    pub fn run_changed(&self, order: Order<'_>, mut tell: impl FnMut(u64)) -> Result<Done, Finding> {
        let began = Instant::now();
        let mut done = Done::default();
        let mut one = |input: &[u8]| {
            let finding = |what| Finding { what, input: input.to_vec() };
            let used = execute(self, input, order.limits).map_err(finding)?;
            done.most = done.most.max(used);
            done.executions = done.executions.saturating_add(1);
            tell(done.executions);
            Ok(())
        };
        order.inputs.iter().try_for_each(|input| one(input))?;
        let mut mutator = Mutator::new(order.inputs, self.bytes_max, order.seed);
        while began.elapsed() < order.time {
            one(&mutator.next_input())?;
        }
        Ok(done)
    }
}
