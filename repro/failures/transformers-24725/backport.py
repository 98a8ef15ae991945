"""The Trainer's update is that of the mean over all tokens of its micro-batches: cures transformers before 4.46.

Each micro-batch adds the sum over its tokens, and the gradient is divided by their number before the optimizer's step.
Before the job: ``import backport; backport.apply()``.  Classes named ...ForCausalLM or ...LMHeadModel shift their
labels, others do not.  Ranks still count alike, whatever their numbers of tokens.
"""


def apply() -> None:
    from transformers import Trainer

    loss_of, step_of = Trainer.compute_loss, Trainer.training_step
    if getattr(step_of, "backported", False):
        return

    def tokens(model, inputs):
        labels = inputs["labels"]
        causal = "ForCausalLM" in type(model).__name__ or "LMHead" in type(model).__name__
        return (labels[..., 1:] if causal else labels).ne(-100).sum()

    def compute_loss(self, model, inputs, *arguments, **options):
        answer = loss_of(self, model, inputs, *arguments, **options)
        if not model.training or isinstance(answer, tuple):
            return answer
        return answer * tokens(self.accelerator.unwrap_model(model), inputs)

    def training_step(self, model, inputs, *arguments, **options):
        count = tokens(self.accelerator.unwrap_model(model), inputs).to(self.args.device)
        self.counted = getattr(self, "counted", 0) + count
        logged = step_of(self, model, inputs, *arguments, **options)
        if self.accelerator.sync_gradients:  # the last micro-batch of the update
            for parameter in model.parameters():
                if parameter.grad is not None:
                    parameter.grad *= self.args.gradient_accumulation_steps / self.counted
            self.counted = 0
        return logged / count

    training_step.backported = True
    Trainer.compute_loss, Trainer.training_step = compute_loss, training_step
