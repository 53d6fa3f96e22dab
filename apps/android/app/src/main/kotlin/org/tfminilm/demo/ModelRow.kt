package org.tfminilm.demo

import android.content.res.Resources
import android.view.View
import android.widget.TextView

/** The model of a place: what it is, and which others one may take. */
class ModelRow(
    private val activity: AppActivity,
    private val row: View,
    private val place: String,
    private val default: Int = 0,
    private val fits: (AvailableModel) -> Boolean,
    private val changed: () -> Unit,
) {
    private val app get() = activity.app
    private var choices: List<AvailableModel> = emptyList()

    /** Null where no model fits. */
    var choice: AvailableModel? = null
        private set

    init {
        row.setOnClickListener { ask() }
    }

    fun refresh() {
        choices = app.catalog.models.orEmpty().filter(fits)
        choice = choices.find { it.name == app.settings.chosen(place) }
            ?: choices.getOrNull(minOf(default, choices.size - 1))
        val title: TextView = row.findViewById(R.id.model_title)
        val about: TextView = row.findViewById(R.id.model_about)
        val model = choice
        if (model == null) {
            title.setText(R.string.no_model_title)
            about.setText(R.string.no_model)
        } else {
            title.text = model.title
            about.text = about.resources.sizeOf(model, app.settings.latency(model.sha256))
        }
    }

    private fun ask() {
        if (choices.isEmpty()) return
        val names = choices.map { row.resources.named(it) }
        activity.choose(R.string.choose_model, names, choices.indexOf(choice)) {
            app.settings.choose(place, choices[it].name)
            changed()
        }
    }

    private fun Resources.named(model: AvailableModel) = "${model.title}\n${sizeOf(model, null)}"
}
