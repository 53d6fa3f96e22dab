package org.tfminilm.demo

import android.app.AlertDialog
import android.content.Context
import android.content.Intent
import android.view.View
import android.widget.LinearLayout
import android.widget.TextView
import android.widget.Toolbar

/** All that is known of a model. */
class DetailsActivity : ScreenActivity(R.string.details, R.layout.details) {
    override fun update() {
        val model = app.catalog[intent.getStringExtra(MODEL)]
        if (model == null) { // It was deleted.
            finish()
            return
        }
        findViewById<Toolbar>(R.id.toolbar).title = model.title
        findViewById<TextView>(R.id.details_does).text = resources.purposeOf(model.manifest)
        show(facts(model))
        val choose: View = findViewById(R.id.details_choose)
        choose.visibility = if (isUsed(model)) View.GONE else View.VISIBLE
        choose.setOnClickListener { use(model) }
        val delete: View = findViewById(R.id.details_delete)
        delete.visibility = if (model.isAdded) View.VISIBLE else View.GONE
        delete.setOnClickListener { askToDelete(model) }
    }

    private fun use(model: AvailableModel) {
        val place = placeOf(model.manifest.task)
        app.settings.choose(place, model.name)
        startActivity(MainActivity.intent(this, place))
        finish()
    }

    private fun askToDelete(model: AvailableModel) = show(
        AlertDialog.Builder(this).setMessage(getString(R.string.delete_asks, model.title))
            .setPositiveButton(R.string.delete) { _, _ -> app.catalog.delete(model) }
            .setNegativeButton(R.string.cancel, null),
    )

    private fun facts(model: AvailableModel): List<Pair<Int, String>> {
        val manifest = model.manifest
        val scores = model.facts.scores.map { (name, value) -> "$name: ${number(value)}" }
        val latency = app.settings.latency(model.sha256)
        return listOfNotNull(
            model.facts.trainedOn?.let { R.string.fact_trained to it },
            manifest.description.takeIf { it.isNotBlank() }?.let { R.string.fact_about to clipped(it) },
            namesOf(manifest).takeIf { it.isNotEmpty() }?.let { R.string.fact_labels to labels(it) },
            R.string.fact_scores to scores.joinToString("\n").ifEmpty { getString(R.string.no_scores) },
            R.string.fact_weights to weights(model),
            R.string.fact_size to resources.size(model.bytes),
            R.string.fact_length to getString(R.string.longest, manifest.signatures.last().length),
            R.string.fact_speed to
                (latency?.let { getString(R.string.measured, resources.milliseconds(it)) }
                    ?: getString(R.string.not_measured)),
            R.string.fact_file to getString(if (model.isAdded) R.string.from_file else R.string.with_app),
        )
    }

    private fun weights(model: AvailableModel): String {
        val count = getString(R.string.parameters, model.manifest.parameters / 1e6)
        return "${resources.precision(model.manifest.precision)}, $count"
    }

    private fun labels(labels: List<String>) =
        labels.take(MAX_LABELS).joinToString(", ") + if (labels.size > MAX_LABELS) ", …" else ""

    private fun number(value: Double) = String.format(resources.configuration.locales[0], "%.3f", value)

    private fun show(facts: List<Pair<Int, String>>) {
        val rows: LinearLayout = findViewById(R.id.details_facts)
        rows.fillWith(facts.size, R.layout.fact)
        for ((at, fact) in facts.withIndex()) {
            val row = rows.getChildAt(at)
            row.findViewById<TextView>(R.id.fact_name).setText(fact.first)
            row.findViewById<TextView>(R.id.fact_value).text = fact.second
        }
    }

    companion object {
        private const val MAX_LABELS = 50

        fun intent(context: Context, model: AvailableModel): Intent =
            Intent(context, DetailsActivity::class.java).putExtra(MODEL, model.name)
    }
}
