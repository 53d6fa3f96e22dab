package org.tfminilm.demo

import android.view.View
import android.view.ViewGroup
import android.widget.Button

/** The buttons above a field: one opens a file into it, one clears it. */
fun MainActivity.fieldActions(root: View, open: Int?, clear: Int, field: Field, before: () -> Unit = {}) {
    open?.let { root.findViewById<View>(it).setOnClickListener { pickText(field) } }
    root.findViewById<View>(clear).setOnClickListener {
        before()
        field.set("")
    }
}

/** Texts to begin with. */
fun showSamples(group: ViewGroup, texts: Int, choose: (String) -> Unit) {
    val samples = group.resources.getStringArray(texts)
    group.fillWith(samples.size, R.layout.chip)
    for ((at, sample) in samples.withIndex()) {
        val chip = group.getChildAt(at) as Button
        chip.text = sample
        chip.setOnClickListener { choose(sample) }
    }
}

/** Shows the pieces in which a model reads a field's text. */
fun MainActivity.showTokens(model: AvailableModel, field: Field) =
    startActivity(TokensActivity.intent(this, model, field.name))
