package org.tfminilm.demo

import android.app.Activity
import android.text.Editable
import android.text.TextWatcher
import android.view.View
import android.widget.AdapterView
import android.widget.ArrayAdapter
import android.widget.EditText
import android.widget.Spinner
import android.widget.TextView
import java.util.concurrent.atomic.AtomicInteger
import org.tfminilm.TaskKind

/** A page of the activity. Its requests replace each other: the last one counts. */
abstract class Screen(protected val activity: Activity, protected val models: ModelRepository) {
    private val latest = AtomicInteger()

    /** What the last request found. */
    protected abstract val result: TextView

    /** Fills the choices again, and runs what is on the screen. */
    abstract fun refresh()

    /** Drops what is under way: the screen goes. */
    fun stop() {
        latest.incrementAndGet()
    }

    protected fun <T> request(
        choice: AvailableModel,
        status: TextView,
        work: (OpenModel, () -> Boolean) -> T,
        show: (T) -> Unit,
    ) {
        val number = latest.incrementAndGet()
        val isStale = { latest.get() != number }
        models.run(choice, isStale, { work(it, isStale) }) { outcome ->
            when (outcome) {
                is Outcome.Failure -> {
                    result.text = "" // Of another text, or another model.
                    status.text = outcome.message
                }
                is Outcome.Success -> {
                    status.text = activity.getString(
                        R.string.status,
                        outcome.milliseconds,
                        choice.megabytes,
                        choice.manifest.precision,
                    )
                    show(outcome.value)
                }
            }
        }
    }

    protected fun <T : View> find(id: Int): T = activity.findViewById(id)

    protected fun onChange(vararg fields: EditText, changed: () -> Unit) {
        val watcher = object : TextWatcher {
            override fun beforeTextChanged(s: CharSequence?, start: Int, count: Int, after: Int) = Unit
            override fun onTextChanged(s: CharSequence?, start: Int, before: Int, count: Int) = Unit
            override fun afterTextChanged(s: Editable?) = changed()
        }
        fields.forEach { it.addTextChangedListener(watcher) }
    }

    /** Offers the models of a task, or all; keeps the one chosen so far, else [default]. */
    protected fun fill(spinner: Spinner, task: TaskKind?, default: Int = 0, chosen: () -> Unit) {
        val choices = models.available().filter { task == null || it.manifest.task == task }
        spinner.onItemSelectedListener = null
        spinner.adapter =
            ArrayAdapter(activity, android.R.layout.simple_spinner_dropdown_item, choices)
        val index = choices.indexOfFirst { it.name == models.chosen[spinner.id] }
        if (choices.isNotEmpty()) {
            spinner.setSelection(if (index >= 0) index else minOf(default, choices.size - 1))
        }
        spinner.onItemSelectedListener = object : AdapterView.OnItemSelectedListener {
            override fun onItemSelected(parent: AdapterView<*>?, view: View?, at: Int, id: Long) {
                models.chosen[spinner.id] = choices[at].name
                chosen()
            }

            override fun onNothingSelected(parent: AdapterView<*>?) = Unit
        }
    }

    /** The model that a spinner shows; says so where there is none. */
    protected fun chosen(spinner: Spinner, status: TextView): AvailableModel? {
        val choice = spinner.selectedItem as AvailableModel?
        if (choice == null) status.setText(R.string.no_model)
        return choice
    }
}
