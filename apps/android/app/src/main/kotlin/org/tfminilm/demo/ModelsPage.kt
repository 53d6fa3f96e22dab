package org.tfminilm.demo

import android.content.Intent
import android.view.View
import android.widget.LinearLayout
import android.widget.ProgressBar
import android.widget.TextView
import org.tfminilm.TaskKind

/** A card for each model, and a way to add others. */
class ModelsPage(activity: MainActivity) : Page(activity, R.id.models_page) {
    private val cards: LinearLayout = find(R.id.model_cards)

    init {
        find<View>(R.id.open_bundle).setOnClickListener {
            activity.pick(MainActivity.PICK_BUNDLE, "application/zip", "application/octet-stream")
        }
        find<View>(R.id.compare).setOnClickListener {
            activity.startActivity(Intent(activity, CompareActivity::class.java))
        }
        find<View>(R.id.import_replace).setOnClickListener { app.imports.answer(replaces = true) }
        find<View>(R.id.import_keep).setOnClickListener { app.imports.answer(replaces = false) }
        find<View>(R.id.import_cancel).setOnClickListener { app.imports.cancel() }
    }

    override fun update() {
        showImport(app.imports.state)
        val models = app.catalog.models.orEmpty()
        show(R.id.compare, models.size > 1)
        cards.fillWith(models.size, R.layout.model_card)
        for ((at, model) in models.withIndex()) showCard(cards.getChildAt(at), model)
    }

    private fun showCard(card: View, model: AvailableModel) {
        val resources = activity.resources
        fun text(id: Int): TextView = card.findViewById(id)
        text(R.id.card_title).text = model.title
        text(R.id.card_does).text = resources.purposeOf(model.manifest)
        text(R.id.card_size).text = resources.sizeOf(model, app.settings.latency(model.sha256))
        val isUsed = activity.isUsed(model)
        card.findViewById<View>(R.id.card_used).visibility = if (isUsed) View.VISIBLE else View.GONE
        val choose: View = card.findViewById(R.id.card_choose)
        choose.visibility = if (isUsed) View.GONE else View.VISIBLE
        choose.setOnClickListener { activity.use(model) }
        val details = View.OnClickListener { activity.startActivity(DetailsActivity.intent(activity, model)) }
        card.setOnClickListener(details)
        card.findViewById<View>(R.id.card_details).setOnClickListener(details)
    }

    private fun showImport(state: ImportState) {
        show(R.id.import_card, state !is ImportState.Idle)
        val progress: ProgressBar = find(R.id.import_progress)
        progress.visibility = if (state is ImportState.Running) View.VISIBLE else View.GONE
        show(R.id.import_replace, state is ImportState.Asking)
        show(R.id.import_keep, state is ImportState.Asking)
        val isOver = state is ImportState.Done || state is ImportState.Failed
        text(R.id.import_cancel).setText(if (isOver) R.string.dismiss else R.string.cancel)
        text(R.id.import_text).text = when (state) {
            is ImportState.Idle -> ""
            is ImportState.Running -> {
                progress.isIndeterminate = state.share == null
                progress.progress = ((state.share ?: 0.0) * progress.max).toInt()
                state.name?.let { activity.getString(R.string.importing, inWords(it)) }
                    ?: activity.getString(R.string.importing_file)
            }
            is ImportState.Asking -> activity.getString(R.string.import_asks, inWords(state.name))
            is ImportState.Failed -> state.message
            is ImportState.Done -> activity.getString(R.string.import_done, state.name)
        }
    }
}

/** The place that runs models of a task. */
fun placeOf(task: TaskKind): String = when (task) {
    TaskKind.QUESTION_ANSWERING -> AskPage.PLACE
    TaskKind.ENCODER -> NotesPage.PLACE
    else -> ClassifyPage.PLACE
}

/** Whether a model is the one of its place. */
fun AppActivity.isUsed(model: AvailableModel): Boolean {
    val place = placeOf(model.manifest.task)
    val others = app.catalog.models.orEmpty().filter { placeOf(it.manifest.task) == place }
    val used = others.find { it.name == app.settings.chosen(place) } ?: others.firstOrNull()
    return used === model
}
