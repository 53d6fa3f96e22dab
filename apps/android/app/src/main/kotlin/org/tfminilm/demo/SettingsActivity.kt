package org.tfminilm.demo

import android.view.View
import android.widget.RadioButton
import android.widget.RadioGroup
import android.widget.Switch
import android.widget.TextView
import org.tensorflow.lite.TensorFlowLite

/** Threads, the engine, the history, and what this app is. */
class SettingsActivity : ScreenActivity(R.string.settings, R.layout.settings) {
    override fun update() {
        val threads = Settings.THREADS.map { resources.getQuantityString(R.plurals.threads_used, it, it) }
        choices(R.id.threads, threads, Settings.THREADS.indexOf(app.settings.threads)) {
            app.settings.threads = Settings.THREADS[it]
        }
        choices(R.id.engines, listOf(getString(R.string.engine_processor)), 0) {}
        val history: Switch = findViewById(R.id.keep_history)
        history.isChecked = app.settings.keepsHistory
        history.setOnCheckedChangeListener { _, isOn -> app.settings.keepsHistory = isOn }
        val version = packageManager.getPackageInfo(packageName, 0).versionName
        findViewById<TextView>(R.id.version).text =
            getString(R.string.version, version, TensorFlowLite.runtimeVersion())
    }

    private fun choices(group: Int, names: List<String>, chosen: Int, choose: (Int) -> Unit) {
        val radios: RadioGroup = findViewById(group)
        radios.removeAllViews()
        for ((at, name) in names.withIndex()) {
            val radio = layoutInflater.inflate(R.layout.choice, radios, false) as RadioButton
            radio.id = View.generateViewId()
            radio.text = name
            radios.addView(radio)
            if (at == chosen) radios.check(radio.id)
            radio.setOnClickListener { choose(at) }
        }
    }
}
